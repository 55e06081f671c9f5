// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/slab.h>

#include "virtgpu_mock.h"

/*
 * Validation and execution of requests, see the virtio specification 1.3, 5.7.6
 * "Device Operation".  A violation by the driver fails the test.
 */

struct command {
	u32 type;
	u32 size;
	u32 resp_size;
	unsigned int ring;
	int feature;
	bool payload;
	u32 (*execute)(struct virtgpu_mock *m, struct virtgpu_mock_request *rq);
	bool context;
};

#define HEADER sizeof(struct virtio_gpu_ctrl_hdr)

static const struct command commands[] = {
	{ VIRTIO_GPU_CMD_GET_DISPLAY_INFO, HEADER, sizeof(struct virtio_gpu_resp_display_info),
	  0, -1, false, virtgpu_mock_display_info },
	{ VIRTIO_GPU_CMD_GET_EDID, sizeof(struct virtio_gpu_cmd_get_edid),
	  sizeof(struct virtio_gpu_resp_edid), 0, VIRTIO_GPU_F_EDID, false, virtgpu_mock_edid },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, sizeof(struct virtio_gpu_resource_create_2d), HEADER,
	  0, -1, false, virtgpu_mock_create_2d },
	{ VIRTIO_GPU_CMD_RESOURCE_UNREF, sizeof(struct virtio_gpu_resource_unref), HEADER,
	  0, -1, false, virtgpu_mock_unref },
	{ VIRTIO_GPU_CMD_SET_SCANOUT, sizeof(struct virtio_gpu_set_scanout), HEADER,
	  0, -1, false, virtgpu_mock_set_scanout },
	{ VIRTIO_GPU_CMD_RESOURCE_FLUSH, sizeof(struct virtio_gpu_resource_flush), HEADER,
	  0, -1, false, virtgpu_mock_flush },
	{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, sizeof(struct virtio_gpu_transfer_to_host_2d), HEADER,
	  0, -1, false, virtgpu_mock_transfer },
	{ VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING, sizeof(struct virtio_gpu_resource_attach_backing),
	  HEADER, 0, -1, true, virtgpu_mock_attach },
	{ VIRTIO_GPU_CMD_RESOURCE_DETACH_BACKING, sizeof(struct virtio_gpu_resource_detach_backing),
	  HEADER, 0, -1, false, virtgpu_mock_detach },
	{ VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID, sizeof(struct virtio_gpu_resource_assign_uuid),
	  sizeof(struct virtio_gpu_resp_resource_uuid), 0, VIRTIO_GPU_F_RESOURCE_UUID, false,
	  virtgpu_mock_assign_uuid },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_BLOB, sizeof(struct virtio_gpu_resource_create_blob),
	  HEADER, 0, VIRTIO_GPU_F_RESOURCE_BLOB, true, virtgpu_mock_create_blob, true },
	{ VIRTIO_GPU_CMD_SET_SCANOUT_BLOB, sizeof(struct virtio_gpu_set_scanout_blob), HEADER,
	  0, VIRTIO_GPU_F_RESOURCE_BLOB, false, virtgpu_mock_set_scanout_blob },
	{ VIRTIO_GPU_CMD_GET_CAPSET_INFO, sizeof(struct virtio_gpu_get_capset_info),
	  sizeof(struct virtio_gpu_resp_capset_info), 0, VIRTIO_GPU_F_VIRGL, false,
	  virtgpu_mock_capset_info },
	{ VIRTIO_GPU_CMD_GET_CAPSET, sizeof(struct virtio_gpu_get_capset),
	  sizeof(struct virtio_gpu_resp_capset), 0, VIRTIO_GPU_F_VIRGL, false,
	  virtgpu_mock_get_capset },
	{ VIRTIO_GPU_CMD_CTX_CREATE, sizeof(struct virtio_gpu_ctx_create), HEADER,
	  0, VIRTIO_GPU_F_VIRGL, false, virtgpu_mock_ctx_create, true },
	{ VIRTIO_GPU_CMD_CTX_DESTROY, sizeof(struct virtio_gpu_ctx_destroy), HEADER,
	  0, VIRTIO_GPU_F_VIRGL, false, virtgpu_mock_ctx_destroy, true },
	{ VIRTIO_GPU_CMD_CTX_ATTACH_RESOURCE, sizeof(struct virtio_gpu_ctx_resource), HEADER,
	  0, VIRTIO_GPU_F_VIRGL, false, virtgpu_mock_ctx_attach, true },
	{ VIRTIO_GPU_CMD_CTX_DETACH_RESOURCE, sizeof(struct virtio_gpu_ctx_resource), HEADER,
	  0, VIRTIO_GPU_F_VIRGL, false, virtgpu_mock_ctx_detach, true },
	{ VIRTIO_GPU_CMD_RESOURCE_CREATE_3D, sizeof(struct virtio_gpu_resource_create_3d), HEADER,
	  0, VIRTIO_GPU_F_VIRGL, false, virtgpu_mock_create_3d },
	{ VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D, sizeof(struct virtio_gpu_transfer_host_3d), HEADER,
	  0, VIRTIO_GPU_F_VIRGL, false, virtgpu_mock_transfer_3d, true },
	{ VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D, sizeof(struct virtio_gpu_transfer_host_3d), HEADER,
	  0, VIRTIO_GPU_F_VIRGL, false, virtgpu_mock_transfer_3d, true },
	{ VIRTIO_GPU_CMD_SUBMIT_3D, sizeof(struct virtio_gpu_cmd_submit), HEADER,
	  0, VIRTIO_GPU_F_VIRGL, true, virtgpu_mock_submit, true },
	{ VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB, sizeof(struct virtio_gpu_resource_map_blob),
	  sizeof(struct virtio_gpu_resp_map_info), 0, VIRTIO_GPU_F_RESOURCE_BLOB, false,
	  virtgpu_mock_map },
	{ VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB, sizeof(struct virtio_gpu_resource_unmap_blob),
	  HEADER, 0, VIRTIO_GPU_F_RESOURCE_BLOB, false, virtgpu_mock_unmap },
	{ VIRTIO_GPU_CMD_UPDATE_CURSOR, sizeof(struct virtio_gpu_update_cursor), 0,
	  1, -1, false, virtgpu_mock_update_cursor },
	{ VIRTIO_GPU_CMD_MOVE_CURSOR, sizeof(struct virtio_gpu_update_cursor), 0,
	  1, -1, false, virtgpu_mock_move_cursor },
};

static const struct command *find_command(u32 type)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].type == type)
			return &commands[i];

	return NULL;
}

static bool check_header(struct virtgpu_mock *m, const struct virtgpu_mock_request *rq,
			 const struct command *c)
{
	const struct virtio_gpu_ctrl_hdr *hdr = rq->bytes;
	u32 flags = le32_to_cpu(hdr->flags), allowed = VIRTIO_GPU_FLAG_FENCE;

	if (rq->type == VIRTIO_GPU_CMD_SUBMIT_3D && virtgpu_mock_has(m, VIRTIO_GPU_F_CONTEXT_INIT))
		allowed |= VIRTIO_GPU_FLAG_INFO_RING_IDX;
	if (flags & ~allowed) {
		virtgpu_mock_spec_violation(m, "command 0x%04x with flags 0x%x", rq->type, flags);
		return false;
	}
	if (hdr->ring_idx && !(flags & VIRTIO_GPU_FLAG_INFO_RING_IDX)) {
		virtgpu_mock_spec_violation(m, "command 0x%04x names timeline %u without the flag",
					    rq->type, hdr->ring_idx);
		return false;
	}
	if ((hdr->ctx_id && !c->context) || hdr->padding[0] || hdr->padding[1] || hdr->padding[2]) {
		virtgpu_mock_spec_violation(m, "command 0x%04x with a context ID", rq->type);
		return false;
	}

	return true;
}

static bool check_request(struct virtgpu_mock *m, const struct virtgpu_mock_request *rq,
			  const struct command *c)
{
	if (rq->ring->index != c->ring) {
		virtgpu_mock_spec_violation(m, "command 0x%04x on queue %u", rq->type,
					    rq->ring->index);
		return false;
	}
	if (rq->size < c->size || (rq->size > c->size && !c->payload)) {
		virtgpu_mock_spec_violation(m, "command 0x%04x of %u bytes", rq->type, rq->size);
		return false;
	}
	if (rq->room < c->resp_size) {
		virtgpu_mock_spec_violation(m, "command 0x%04x has room for %u bytes", rq->type,
					    rq->room);
		return false;
	}
	if (c->feature >= 0 && !virtgpu_mock_has(m, c->feature)) {
		virtgpu_mock_spec_violation(m, "command 0x%04x without its feature", rq->type);
		return false;
	}

	return check_header(m, rq, c);
}

/**
 * virtgpu_mock_device_check() - Check the format of a request
 * @m: the device
 * @rq: the request
 *
 * Return: true, or false if the request violates the specification.
 */
bool virtgpu_mock_device_check(struct virtgpu_mock *m, const struct virtgpu_mock_request *rq)
{
	const struct command *c = find_command(rq->type);

	if (c)
		return check_request(m, rq, c);
	virtgpu_mock_spec_violation(m, "there is no command 0x%04x", rq->type);

	return false;
}

/**
 * virtgpu_mock_device_execute() - Execute a request
 * @m: the device
 * @rq: the request; its response is filled, but for the header
 *
 * Context: Caller must hold @m->host.lock.
 * Return: type of the response.
 */
u32 virtgpu_mock_device_execute(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct command *c = find_command(rq->type);

	if (!virtgpu_mock_device_check(m, rq))
		return VIRTIO_GPU_RESP_ERR_UNSPEC;

	rq->resp_size = c->resp_size;

	return c->execute(m, rq);
}

static u32 word(const struct virtgpu_mock_request *rq, unsigned int offset)
{
	__le32 value = 0;

	if (offset + sizeof(value) <= rq->size)
		memcpy(&value, rq->bytes + offset, sizeof(value));

	return le32_to_cpu(value);
}

/**
 * virtgpu_mock_device_get_target() - Get the target of a request, for the log
 * @rq: the request
 * @resource: set to the resource ID, or 0
 * @scanout: set to the scanout ID, or 0
 */
void virtgpu_mock_device_get_target(struct virtgpu_mock_request *rq, u32 *resource, u32 *scanout)
{
	*resource = 0;
	*scanout = 0;

	switch (rq->type) {
	case VIRTIO_GPU_CMD_GET_DISPLAY_INFO:
	case VIRTIO_GPU_CMD_GET_CAPSET_INFO:
	case VIRTIO_GPU_CMD_GET_CAPSET:
	case VIRTIO_GPU_CMD_CTX_CREATE:
	case VIRTIO_GPU_CMD_CTX_DESTROY:
	case VIRTIO_GPU_CMD_SUBMIT_3D:
		break;
	case VIRTIO_GPU_CMD_GET_EDID:
		*scanout = word(rq, offsetof(struct virtio_gpu_cmd_get_edid, scanout));
		break;
	case VIRTIO_GPU_CMD_SET_SCANOUT:
		*scanout = word(rq, offsetof(struct virtio_gpu_set_scanout, scanout_id));
		*resource = word(rq, offsetof(struct virtio_gpu_set_scanout, resource_id));
		break;
	case VIRTIO_GPU_CMD_SET_SCANOUT_BLOB:
		*scanout = word(rq, offsetof(struct virtio_gpu_set_scanout_blob, scanout_id));
		*resource = word(rq, offsetof(struct virtio_gpu_set_scanout_blob, resource_id));
		break;
	case VIRTIO_GPU_CMD_RESOURCE_FLUSH:
		*resource = word(rq, offsetof(struct virtio_gpu_resource_flush, resource_id));
		break;
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D:
		*resource = word(rq, offsetof(struct virtio_gpu_transfer_to_host_2d, resource_id));
		break;
	case VIRTIO_GPU_CMD_TRANSFER_TO_HOST_3D:
	case VIRTIO_GPU_CMD_TRANSFER_FROM_HOST_3D:
		*resource = word(rq, offsetof(struct virtio_gpu_transfer_host_3d, resource_id));
		break;
	case VIRTIO_GPU_CMD_UPDATE_CURSOR:
	case VIRTIO_GPU_CMD_MOVE_CURSOR:
		*scanout = word(rq, offsetof(struct virtio_gpu_update_cursor, pos.scanout_id));
		*resource = word(rq, offsetof(struct virtio_gpu_update_cursor, resource_id));
		break;
	default:
		*resource = word(rq, HEADER);
	}
}

/**
 * virtgpu_mock_device_reject() - Track a request that was not executed
 * @m: the device
 * @rq: the request
 *
 * Context: Caller must hold @m->host.lock.
 */
void virtgpu_mock_device_reject(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	u32 resource, scanout;

	virtgpu_mock_device_get_target(rq, &resource, &scanout);
	virtgpu_mock_context_reject(m, word(rq, offsetof(struct virtio_gpu_ctrl_hdr, ctx_id)),
				    resource, rq->type);
	virtgpu_mock_host_visible_reject(m, resource, rq->type);
	virtgpu_mock_resource_reject(m, resource, rq->type);
}

/**
 * virtgpu_mock_device_responded() - Release IDs after the response
 * @m: the device
 * @rq: the request
 *
 * Context: Caller must hold @m->host.lock.
 */
void virtgpu_mock_device_responded(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	u32 ctx_id;

	switch (rq->type) {
	case VIRTIO_GPU_CMD_RESOURCE_UNREF:
		virtgpu_mock_resource_finish_unref(m, word(rq, HEADER));
		break;
	case VIRTIO_GPU_CMD_CTX_DESTROY:
		ctx_id = word(rq, offsetof(struct virtio_gpu_ctrl_hdr, ctx_id));
		virtgpu_mock_context_finish_destroy(m, ctx_id);
		break;
	case VIRTIO_GPU_CMD_RESOURCE_UNMAP_BLOB:
		virtgpu_mock_host_visible_finish_unmap(m, word(rq, HEADER));
	}
}

int virtgpu_mock_device_init(struct virtgpu_mock *m)
{
	unsigned int i;

	xa_init(&m->state.resources);
	xa_init(&m->state.contexts);
	m->state.pointers = kvzalloc_objs(*m->state.pointers, VIRTIO_GPU_MAX_SCANOUTS);
	if (!m->state.pointers)
		return -ENOMEM;
	for (i = 0; i < m->config.scanouts && i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
		m->state.modes[i].enabled = m->config.connected & BIT(i);
		m->state.modes[i].x = i * 640;
		m->state.modes[i].width = 640;
		m->state.modes[i].height = 480;
	}

	return virtgpu_mock_host_visible_init(m);
}

/* A reset destroys the state of the device, but keeps its display info. */
void virtgpu_mock_device_reset(struct virtgpu_mock *m)
{
	mutex_lock(&m->host.lock);
	virtgpu_mock_outputs_reset(m);
	virtgpu_mock_host_visible_reset(m);
	virtgpu_mock_contexts_reset(m);
	virtgpu_mock_resources_reset(m);
	mutex_unlock(&m->host.lock);
}

void virtgpu_mock_device_fini(struct virtgpu_mock *m)
{
	virtgpu_mock_device_reset(m);
	virtgpu_mock_host_visible_fini(m);
	xa_destroy(&m->state.contexts);
	xa_destroy(&m->state.resources);
	kvfree(m->state.pointers);
}
