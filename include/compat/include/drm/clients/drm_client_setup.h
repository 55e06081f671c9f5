/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* 6.13: drm_client_setup.h moved to drm/clients/. */
#ifdef HAVE_DRM_CLIENTS_DIR
#include_next <drm/clients/drm_client_setup.h>
#else
#include <drm/drm_client_setup.h>
#endif
