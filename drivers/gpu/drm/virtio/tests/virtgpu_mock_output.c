// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/slab.h>

#include "virtgpu_mock.h"

/*
 * Outputs and cursors.  Only flushes update the displayed pixels, and only in
 * their rectangle, so that tests detect missing damage.
 */

/* Displayed before the first flush. */
#define UNSET_PIXEL 0xdeadc0de

/* QEMU rejects smaller scanouts. */
#define SCANOUT_MIN 16

static struct virtgpu_mock_rect from_wire(const struct virtio_gpu_rect *r)
{
	struct virtgpu_mock_rect rect = {
		.x = le32_to_cpu(r->x),
		.y = le32_to_cpu(r->y),
		.w = le32_to_cpu(r->width),
		.h = le32_to_cpu(r->height),
	};

	return rect;
}

static bool is_inside(const struct virtgpu_mock_rect *r, u64 width, u64 height)
{
	return r->w && r->h && (u64)r->x + r->w <= width && (u64)r->y + r->h <= height;
}

/*
 * Display info
 */

u32 virtgpu_mock_display_info(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	struct virtio_gpu_resp_display_info *resp = (void *)rq->resp;
	unsigned int i;

	for (i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
		const struct virtgpu_mock_display_mode *mode = &m->state.modes[i];

		resp->pmodes[i].enabled = cpu_to_le32(mode->enabled);
		resp->pmodes[i].r.x = cpu_to_le32(mode->x);
		resp->pmodes[i].r.y = cpu_to_le32(mode->y);
		resp->pmodes[i].r.width = cpu_to_le32(mode->width);
		resp->pmodes[i].r.height = cpu_to_le32(mode->height);
	}

	return VIRTIO_GPU_RESP_OK_DISPLAY_INFO;
}

/* One detailed timing, at 60 Hz. */
static void fill_timing(u8 *t, u32 width, u32 height)
{
	u32 hblank = 160, vblank = 30;
	u32 clock = (width + hblank) * (height + vblank) * 60 / 10000;

	t[0] = clock;
	t[1] = clock >> 8;
	t[2] = width;
	t[3] = hblank;
	t[4] = (width >> 8) << 4;
	t[5] = height;
	t[6] = vblank;
	t[7] = (height >> 8) << 4;
	t[8] = 48;
	t[9] = 32;
	t[10] = 3 << 4 | 5;
	t[17] = 0x1e;
}

/* A minimal valid EDID, see VESA E-EDID 1.4: digital, also with 640x480. */
static void fill_edid(u8 *edid, u32 width, u32 height)
{
	unsigned int i;
	u8 sum = 0;

	memset(edid, 0, 128);
	memset(edid + 1, 0xff, 6);
	edid[8] = 0x5a;
	edid[9] = 0x63;
	edid[16] = 1;
	edid[17] = 30;
	edid[18] = 1;
	edid[19] = 4;
	edid[20] = 0xa5;
	edid[21] = 60;
	edid[22] = 34;
	edid[23] = 120;
	edid[24] = 0x06;
	edid[35] = 0x20;
	memset(edid + 38, 0x01, 16);
	fill_timing(edid + 54, width, height);
	for (i = 72; i < 126; i += 18)
		edid[i + 3] = 0x10;
	for (i = 0; i < 127; i++)
		sum += edid[i];
	edid[127] = -sum;
}

u32 virtgpu_mock_edid(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_cmd_get_edid *c = rq->bytes;
	struct virtio_gpu_resp_edid *resp = (void *)rq->resp;
	u32 i = le32_to_cpu(c->scanout);

	if (i >= m->config.scanouts) {
		virtgpu_mock_spec_violation(m, "EDID of output %u", i);
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	}
	resp->size = cpu_to_le32(128);
	fill_edid(resp->edid, m->state.modes[i].width, m->state.modes[i].height);

	return VIRTIO_GPU_RESP_OK_EDID;
}

/*
 * Scanouts
 */

static void set_scanout(struct virtgpu_mock_scanout *s, const struct virtgpu_mock_scanout *to)
{
	u32 *screen = s->screen;
	size_t count = (size_t)to->r.w * to->r.h, i;

	if (to->r.w != s->r.w || to->r.h != s->r.h) {
		kvfree(screen);
		screen = NULL;
		if (to->resource)
			screen = kvmalloc_array(count, sizeof(*screen), GFP_KERNEL);
		for (i = 0; screen && i < count; i++)
			screen[i] = UNSET_PIXEL;
	}
	*s = *to;
	s->screen = screen;
}

static bool is_output(struct virtgpu_mock *m, u32 index)
{
	if (index < m->config.scanouts && index < VIRTIO_GPU_MAX_SCANOUTS)
		return true;

	virtgpu_mock_spec_violation(m, "invalid scanout %u", index);

	return false;
}

u32 virtgpu_mock_set_scanout(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_set_scanout *c = rq->bytes;
	u32 index = le32_to_cpu(c->scanout_id);
	struct virtgpu_mock_scanout *s = &m->state.scanouts[index % VIRTIO_GPU_MAX_SCANOUTS];
	struct virtgpu_mock_scanout to = { .flushes = s->flushes };
	struct virtgpu_mock_resource *res;

	if (!is_output(m, index))
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	if (!c->resource_id) {
		set_scanout(s, &to);
		return VIRTIO_GPU_RESP_OK_NODATA;
	}

	res = virtgpu_mock_lookup(m, le32_to_cpu(c->resource_id));
	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	to.resource = res->id;
	to.r = from_wire(&c->r);
	if (res->blob || !is_inside(&to.r, res->width, res->height) ||
	    to.r.w < SCANOUT_MIN || to.r.h < SCANOUT_MIN) {
		virtgpu_mock_spec_violation(m, "output %u: %u,%u+%ux%u of a %s of %ux%u", index,
					    to.r.x, to.r.y, to.r.w, to.r.h,
					    res->blob ? "blob" : "2D resource", res->width,
					    res->height);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	set_scanout(s, &to);

	return VIRTIO_GPU_RESP_OK_NODATA;
}

u32 virtgpu_mock_set_scanout_blob(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_set_scanout_blob *c = rq->bytes;
	u32 index = le32_to_cpu(c->scanout_id);
	struct virtgpu_mock_scanout *s = &m->state.scanouts[index % VIRTIO_GPU_MAX_SCANOUTS];
	struct virtgpu_mock_scanout to = {
		.flushes = s->flushes,
		.resource = le32_to_cpu(c->resource_id),
		.r = from_wire(&c->r),
		.format = le32_to_cpu(c->format),
		.width = le32_to_cpu(c->width),
		.height = le32_to_cpu(c->height),
		.stride = le32_to_cpu(c->strides[0]),
		.offset = le32_to_cpu(c->offsets[0]),
	};
	struct virtgpu_mock_resource *res;

	if (!is_output(m, index))
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	res = virtgpu_mock_lookup(m, to.resource);
	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!res->blob || !to.format || !is_inside(&to.r, to.width, to.height) ||
	    to.r.w < SCANOUT_MIN || to.r.h < SCANOUT_MIN) {
		virtgpu_mock_spec_violation(m, "output %u: %u,%u+%ux%u of a framebuffer of %ux%u",
					    index, to.r.x, to.r.y, to.r.w, to.r.h, to.width,
					    to.height);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (to.stride < to.width * 4 ||
	    to.offset + (u64)to.stride * (to.height - 1) + to.width * 4 > res->size) {
		virtgpu_mock_spec_violation(m,
					    "output %u: stride %u, offset %u, %u lines in %llu bytes",
					    index, to.stride, to.offset, to.height, res->size);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	set_scanout(s, &to);

	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* Update one line of the flushed part of @s. */
static void flush_line(struct virtgpu_mock *m, const struct virtgpu_mock_resource *res,
		       struct virtgpu_mock_scanout *s, u32 x, u32 y, u32 w)
{
	u32 *to = s->screen + (size_t)(y - s->r.y) * s->r.w + x - s->r.x;

	if (res->blob)
		virtgpu_mock_read_backing(m, res, s->offset + (u64)y * s->stride + x * 4, to,
					  w * 4);
	else if (res->pixels)
		memcpy(to, res->pixels + (size_t)y * res->width + x, w * 4);
}

static void flush_scanout(struct virtgpu_mock *m, const struct virtgpu_mock_resource *res,
			  struct virtgpu_mock_scanout *s, const struct virtgpu_mock_rect *r)
{
	u32 x1 = max(r->x, s->r.x), x2 = min(r->x + r->w, s->r.x + s->r.w);
	u32 y1 = max(r->y, s->r.y), y2 = min(r->y + r->h, s->r.y + s->r.h);
	u32 y;

	for (y = y1; s->screen && x1 < x2 && y < y2; y++)
		flush_line(m, res, s, x1, y, x2 - x1);
	s->flushes++;
}

u32 virtgpu_mock_flush(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_resource_flush *c = rq->bytes;
	struct virtgpu_mock_resource *res = virtgpu_mock_lookup(m, le32_to_cpu(c->resource_id));
	struct virtgpu_mock_rect r = from_wire(&c->r);
	unsigned int i;

	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (!res->attached && !res->attach_rejected &&
	    res->blob_mem != VIRTIO_GPU_BLOB_MEM_HOST3D) {
		virtgpu_mock_spec_violation(m, "flush of resource %u without memory", res->id);
		return VIRTIO_GPU_RESP_ERR_UNSPEC;
	}

	for (i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
		struct virtgpu_mock_scanout *s = &m->state.scanouts[i];
		u32 width = res->blob ? s->width : res->width;
		u32 height = res->blob ? s->height : res->height;

		if (s->resource != res->id)
			continue;
		if (!is_inside(&r, width, height)) {
			virtgpu_mock_spec_violation(m, "flush of %u,%u+%ux%u of %ux%u", r.x, r.y,
						    r.w, r.h, width, height);
			return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
		}
		flush_scanout(m, res, s, &r);
	}

	return VIRTIO_GPU_RESP_OK_NODATA;
}

/* Disable the scanouts of a destroyed resource. */
void virtgpu_mock_outputs_unref(struct virtgpu_mock *m, u32 resource)
{
	struct virtgpu_mock_scanout none = { };
	unsigned int i;

	for (i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
		if (m->state.scanouts[i].resource != resource)
			continue;
		none.flushes = m->state.scanouts[i].flushes;
		set_scanout(&m->state.scanouts[i], &none);
		m->state.lost++;
	}
}

void virtgpu_mock_outputs_reset(struct virtgpu_mock *m)
{
	struct virtgpu_mock_scanout none = { };
	unsigned int i;

	for (i = 0; i < VIRTIO_GPU_MAX_SCANOUTS; i++) {
		set_scanout(&m->state.scanouts[i], &none);
		if (m->state.pointers)
			memset(&m->state.pointers[i], 0, sizeof(m->state.pointers[i]));
	}
}

/*
 * Cursors
 */

static void set_position(struct virtgpu_mock_pointer *p, const struct virtio_gpu_update_cursor *c)
{
	p->x = (s32)le32_to_cpu(c->pos.x);
	p->y = (s32)le32_to_cpu(c->pos.y);
}

u32 virtgpu_mock_update_cursor(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_update_cursor *c = rq->bytes;
	struct virtgpu_mock_resource *res;
	struct virtgpu_mock_pointer *p;

	if (!is_output(m, le32_to_cpu(c->pos.scanout_id)))
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	p = &m->state.pointers[le32_to_cpu(c->pos.scanout_id)];
	set_position(p, c);
	p->resource = le32_to_cpu(c->resource_id);
	p->hot_x = le32_to_cpu(c->hot_x);
	p->hot_y = le32_to_cpu(c->hot_y);
	if (!p->resource)
		return VIRTIO_GPU_RESP_OK_NODATA;

	res = virtgpu_mock_lookup(m, p->resource);
	if (!res)
		return VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID;
	if (res->blob || res->width != VIRTGPU_MOCK_CURSOR || res->height != VIRTGPU_MOCK_CURSOR) {
		virtgpu_mock_spec_violation(m, "a cursor of %ux%u", res->width, res->height);
		return VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER;
	}
	if (!res->transfers && !res->attach_rejected && !res->transfer_rejected)
		virtgpu_mock_spec_violation(m, "cursor %u has no image yet", res->id);
	if (res->pixels)
		memcpy(p->image, res->pixels, sizeof(p->image));

	return VIRTIO_GPU_RESP_OK_NODATA;
}

u32 virtgpu_mock_move_cursor(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_update_cursor *c = rq->bytes;

	if (!is_output(m, le32_to_cpu(c->pos.scanout_id)))
		return VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID;
	set_position(&m->state.pointers[le32_to_cpu(c->pos.scanout_id)], c);

	return VIRTIO_GPU_RESP_OK_NODATA;
}

/*
 * Queries by tests
 */

/* Get the resource of an output, 0 if disabled. */
u32 virtgpu_mock_shown(struct virtgpu_mock *m, unsigned int scanout)
{
	u32 id;

	mutex_lock(&m->host.lock);
	id = m->state.scanouts[scanout].resource;
	mutex_unlock(&m->host.lock);

	return id;
}

/* Get a displayed pixel of an output. */
u32 virtgpu_mock_pixel(struct virtgpu_mock *m, unsigned int scanout, u32 x, u32 y)
{
	const struct virtgpu_mock_scanout *s = &m->state.scanouts[scanout];
	u32 pixel = UNSET_PIXEL;

	mutex_lock(&m->host.lock);
	if (s->screen && x < s->r.w && y < s->r.h)
		pixel = s->screen[(size_t)y * s->r.w + x];
	mutex_unlock(&m->host.lock);

	return pixel;
}

unsigned int virtgpu_mock_flushes(struct virtgpu_mock *m, unsigned int scanout)
{
	unsigned int n;

	mutex_lock(&m->host.lock);
	n = m->state.scanouts[scanout].flushes;
	mutex_unlock(&m->host.lock);

	return n;
}

void virtgpu_mock_pointer(struct virtgpu_mock *m, unsigned int scanout,
			  struct virtgpu_mock_pointer *p)
{
	mutex_lock(&m->host.lock);
	*p = m->state.pointers[scanout];
	mutex_unlock(&m->host.lock);
}
