// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <linux/jiffies.h>
#include <linux/prandom.h>
#include <linux/virtio_ring.h>

#include "virtgpu_mock.h"
#include "virtgpu_mock_hostile.h"

/*
 * A hostile host.  It has no state: by default it responds to each request with
 * success and plausible contents.  It tampers with single responses, used ring
 * entries and the configuration space.  The format of requests is checked
 * nevertheless: no response may cause a malformed request.
 */

/* No response takes longer, because callers wait as long as a frame is held. */
static const unsigned int delays_ms[] = { 0, 1, 20, 300, 3000, 12000, 40000, 90000 };

static const u32 types[] = {
	VIRTIO_GPU_RESP_OK_NODATA, VIRTIO_GPU_RESP_OK_DISPLAY_INFO, VIRTIO_GPU_RESP_OK_CAPSET_INFO,
	VIRTIO_GPU_RESP_OK_CAPSET, VIRTIO_GPU_RESP_OK_EDID, VIRTIO_GPU_RESP_OK_RESOURCE_UUID,
	VIRTIO_GPU_RESP_OK_MAP_INFO, 0x11ff, VIRTIO_GPU_RESP_ERR_UNSPEC,
	VIRTIO_GPU_RESP_ERR_OUT_OF_MEMORY, VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID,
	VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID, VIRTIO_GPU_RESP_ERR_INVALID_CONTEXT_ID,
	VIRTIO_GPU_RESP_ERR_INVALID_PARAMETER, 0, U32_MAX,
};

/**
 * virtgpu_mock_hostile_word() - Choose a number that a driver may mistake
 * @n: the choice
 *
 * Return: the number.
 */
u32 virtgpu_mock_hostile_word(u8 n)
{
	static const u32 words[] = {
		0, 1, 2, 16, 17, 64, 128, 256, 1024, 1025, 4096, 8192, 16384, 65535, 65536,
		SZ_1M, SZ_1M + 1, S32_MAX, BIT(31), U32_MAX - 23, U32_MAX - 1, U32_MAX,
	};

	return n < ARRAY_SIZE(words) ? words[n] : n;
}

unsigned int virtgpu_mock_hostile_delay(u8 n)
{
	return delays_ms[n % ARRAY_SIZE(delays_ms)];
}

/*
 * Plausible responses
 */

static u32 capset_info(struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_get_capset_info *c = rq->bytes;
	struct virtio_gpu_resp_capset_info *resp = (void *)rq->resp;
	u32 n = le32_to_cpu(c->capset_index) % ARRAY_SIZE(virtgpu_mock_capsets);

	rq->resp_size = sizeof(*resp);
	resp->capset_id = cpu_to_le32(virtgpu_mock_capsets[n].id);
	resp->capset_max_version = cpu_to_le32(virtgpu_mock_capsets[n].version);
	resp->capset_max_size = cpu_to_le32(virtgpu_mock_capsets[n].size);

	return VIRTIO_GPU_RESP_OK_CAPSET_INFO;
}

static u32 assign_uuid(struct virtgpu_mock_request *rq)
{
	struct virtio_gpu_resp_resource_uuid *resp = (void *)rq->resp;

	rq->resp_size = sizeof(*resp);
	memset(resp->uuid, 0x55, sizeof(resp->uuid));

	return VIRTIO_GPU_RESP_OK_RESOURCE_UUID;
}

static u32 map_blob(struct virtgpu_mock_request *rq)
{
	struct virtio_gpu_resp_map_info *resp = (void *)rq->resp;

	rq->resp_size = sizeof(*resp);
	resp->map_info = (__force __u32)cpu_to_le32(VIRTIO_GPU_MAP_CACHE_CACHED);

	return VIRTIO_GPU_RESP_OK_MAP_INFO;
}

static u32 fill_response(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	switch (rq->type) {
	case VIRTIO_GPU_CMD_GET_DISPLAY_INFO:
		rq->resp_size = sizeof(struct virtio_gpu_resp_display_info);
		return virtgpu_mock_display_info(m, rq);
	case VIRTIO_GPU_CMD_GET_EDID:
		rq->resp_size = sizeof(struct virtio_gpu_resp_edid);
		return virtgpu_mock_edid(m, rq);
	case VIRTIO_GPU_CMD_GET_CAPSET_INFO:
		return capset_info(rq);
	case VIRTIO_GPU_CMD_GET_CAPSET:
		rq->resp_size = rq->room;
		return VIRTIO_GPU_RESP_OK_CAPSET;
	case VIRTIO_GPU_CMD_RESOURCE_ASSIGN_UUID:
		return assign_uuid(rq);
	case VIRTIO_GPU_CMD_RESOURCE_MAP_BLOB:
		return map_blob(rq);
	default:
		return VIRTIO_GPU_RESP_OK_NODATA;
	}
}

/*
 * Tampering
 */

/**
 * virtgpu_mock_hostile_config() - Change the configuration space
 * @h: the host
 * @x: the member
 * @y: the new value, see virtgpu_mock_hostile_word()
 *
 * Context: Any. Calls the driver's config_changed() unless the highest bit of
 * @x is set.
 */
void virtgpu_mock_hostile_config(struct virtgpu_mock_hostile *h, u8 x, u8 y)
{
	struct virtgpu_mock *m = h->mock;
	__le32 *words = (__le32 *)&m->space;
	unsigned long flags;

	spin_lock_irqsave(&m->space_lock, flags);
	words[x % (sizeof(m->space) / sizeof(*words))] = cpu_to_le32(virtgpu_mock_hostile_word(y));
	spin_unlock_irqrestore(&m->space_lock, flags);
	if (!(x & 0x80))
		virtio_config_changed(&m->vdev);
}

static void tamper_header(struct virtgpu_mock_request *rq, u8 x, u8 y)
{
	struct virtio_gpu_ctrl_hdr *hdr = (void *)rq->resp;

	switch (x % 5) {
	case 0:
		hdr->flags ^= cpu_to_le32(BIT(y % 32));
		break;
	case 1:
		le64_add_cpu(&hdr->fence_id, y - 128);
		break;
	case 2:
		hdr->fence_id = cpu_to_le64(U64_MAX - y);
		break;
	case 3:
		hdr->ctx_id = cpu_to_le32(virtgpu_mock_hostile_word(y));
		break;
	case 4:
		hdr->ring_idx = y;
	}
}

static void tamper_word(struct virtgpu_mock_request *rq, u8 x, u8 y)
{
	__le32 value = cpu_to_le32(virtgpu_mock_hostile_word(y));

	memcpy(rq->resp + sizeof(struct virtio_gpu_ctrl_hdr) + x * sizeof(value), &value,
	       sizeof(value));
}

static void tamper_noise(struct virtgpu_mock_request *rq, u8 x, u8 y)
{
	struct rnd_state rnd;

	prandom_seed_state(&rnd, y + 1);
	prandom_bytes_state(&rnd, rq->resp + x, VIRTGPU_MOCK_RESP_MAX - x);
}

static u32 tampered_length(u32 length, u8 x, u8 y)
{
	switch (x % 4) {
	case 0:
		return virtgpu_mock_hostile_word(y);
	case 1:
		return length + y;
	case 2:
		return length - min_t(u32, length, y);
	default:
		return y;
	}
}

/* Add an entry with any descriptor to the used ring. */
static void tamper_id(struct virtgpu_mock_request *rq, u8 x, u8 y)
{
	struct virtgpu_mock_ring *ring = rq->ring;

	vringh_complete_iotlb(&ring->vrh, x % 2 ? virtgpu_mock_hostile_word(y) :
			      y % ring->vrh.vring.num, rq->room);
}

static void tamper_interrupt(struct virtgpu_mock *m)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(m->host.rings); i++)
		if (m->host.rings[i].vq)
			virtgpu_mock_host_interrupt(&m->host.rings[i]);
}

static void tamper_break(struct virtgpu_mock *m, u8 x)
{
	WRITE_ONCE(m->status, m->status | VIRTIO_CONFIG_S_NEEDS_RESET);
	if (x & 1)
		virtio_break_device(&m->vdev);
	else
		virtio_config_changed(&m->vdev);
}

/* How a response is sent. */
struct outcome {
	u32 size;
	u32 used;
	unsigned int delay;
	bool delayed;
	bool twice;
	bool silent;
};

static void tamper(struct virtgpu_mock_hostile *h, struct virtgpu_mock_request *rq,
		   const struct virtgpu_mock_tamper *t, struct outcome *o)
{
	struct virtgpu_mock *m = h->mock;

	switch (t->kind) {
	case VIRTGPU_TAMPER_TYPE:
		((struct virtio_gpu_ctrl_hdr *)rq->resp)->type =
			cpu_to_le32(types[t->x % ARRAY_SIZE(types)]);
		break;
	case VIRTGPU_TAMPER_HEADER:
		tamper_header(rq, t->x, t->y);
		break;
	case VIRTGPU_TAMPER_SIZE:
		o->size = min(tampered_length(o->size, t->x, t->y), VIRTGPU_MOCK_RESP_MAX);
		o->used = min(o->size, rq->room);
		break;
	case VIRTGPU_TAMPER_USED:
		o->used = tampered_length(o->used, t->x, t->y);
		break;
	case VIRTGPU_TAMPER_WORD:
		tamper_word(rq, t->x, t->y);
		break;
	case VIRTGPU_TAMPER_NOISE:
		tamper_noise(rq, t->x, t->y);
		break;
	case VIRTGPU_TAMPER_DELAY:
		o->delayed = true;
		o->delay = virtgpu_mock_hostile_delay(t->x);
		break;
	case VIRTGPU_TAMPER_TWICE:
		o->twice = true;
		break;
	case VIRTGPU_TAMPER_ID:
		tamper_id(rq, t->x, t->y);
		o->silent = true;
		break;
	case VIRTGPU_TAMPER_SKIP:
		rq->ring->vrh.last_used_idx += t->x;
		tamper_id(rq, 0, t->y);
		o->silent = true;
		break;
	case VIRTGPU_TAMPER_CONFIG:
		virtgpu_mock_hostile_config(h, t->x, t->y);
		break;
	case VIRTGPU_TAMPER_INTERRUPT:
		tamper_interrupt(m);
		break;
	case VIRTGPU_TAMPER_STALL:
		m->host.rings[1].stalled = t->x & 1 || h->silent[1];
		break;
	case VIRTGPU_TAMPER_BREAK:
		tamper_break(m, t->x);
		break;
	}
}

/* Apply what is due with this request, and count down the rest. */
static void tamper_all(struct virtgpu_mock_hostile *h, struct virtgpu_mock_request *rq,
		       struct outcome *o)
{
	unsigned int i, left = 0;

	for (i = 0; i < h->count; i++) {
		struct virtgpu_mock_tamper t = h->tampers[i];

		if (t.after--)
			h->tampers[left++] = t;
		else if (!h->honest)
			tamper(h, rq, &t, o);
	}
	h->count = left;
}

/*
 * Sending responses
 */

static void send(struct virtgpu_mock_request *rq, const struct outcome *o)
{
	struct virtgpu_mock_ring *ring = rq->ring;

	if (o->twice)
		vringh_complete_iotlb(&ring->vrh, rq->head, o->used);
	if (o->silent) {
		virtgpu_mock_host_drop(rq);
		virtgpu_mock_host_interrupt(ring);
	} else {
		virtgpu_mock_host_complete(rq, o->size, o->used);
	}
}

/*
 * The driver may take a descriptor for returned that the host has not used yet.
 * Its memory is then the driver's, which the host can only harm.
 */
static void silence(struct virtgpu_mock_hostile *h, struct virtgpu_mock_ring *ring)
{
	struct virtgpu_mock_request *rq, *next;

	h->silent[ring->index] = true;
	ring->stalled = true;
	list_for_each_entry_safe(rq, next, &h->mock->host.held, link) {
		if (rq->ring != ring)
			continue;
		list_del(&rq->link);
		virtgpu_mock_host_drop(rq);
	}
}

/* @rq->resp_size keeps the size of a delayed response, not its used length. */
static bool send_due(struct virtgpu_mock *m, bool all)
{
	struct virtgpu_mock_request *rq;

	list_for_each_entry(rq, &m->host.held, link) {
		const struct outcome o = { .size = rq->resp_size, .used = rq->resp_size };

		if (!all && time_before(jiffies, rq->due))
			continue;
		list_del(&rq->link);
		send(rq, &o);
		return true;
	}

	return false;
}

static void hostile_work(struct work_struct *work)
{
	struct virtgpu_mock_hostile *h =
		container_of(to_delayed_work(work), struct virtgpu_mock_hostile, work);
	struct virtgpu_mock *m = h->mock;

	mutex_lock(&m->host.lock);
	while (send_due(m, h->honest))
		;
	if (!list_empty(&m->host.held))
		queue_delayed_work(m->host.wq, &h->work, msecs_to_jiffies(20));
	mutex_unlock(&m->host.lock);
}

/**
 * virtgpu_mock_hostile_respond() - Respond to a request
 * @h: the host
 * @rq: the request
 *
 * Context: Caller must hold @h->mock->host.lock.
 */
void virtgpu_mock_hostile_respond(struct virtgpu_mock_hostile *h, struct virtgpu_mock_request *rq)
{
	struct virtgpu_mock_ring *ring = rq->ring;
	struct virtgpu_mock *m = h->mock;
	struct outcome o = { };
	u32 type;

	virtgpu_mock_device_check(m, rq);
	type = fill_response(m, rq);
	virtgpu_mock_host_fill_header(rq, type);
	o.size = min3(rq->resp_size, rq->room, (u32)VIRTGPU_MOCK_RESP_MAX);
	o.used = o.size;
	tamper_all(h, rq, &o);

	if (o.silent || o.twice)
		silence(h, ring);
	if (!o.delayed || o.silent || o.twice) {
		send(rq, &o);
		return;
	}
	rq->resp_size = min(o.size, rq->room);
	rq->due = jiffies + msecs_to_jiffies(o.delay);
	list_add_tail(&rq->link, &m->host.held);
	queue_delayed_work(m->host.wq, &h->work, msecs_to_jiffies(min(o.delay, 20)));
}

/*
 * Control
 */

void virtgpu_mock_hostile_arm(struct virtgpu_mock_hostile *h,
			      const struct virtgpu_mock_tamper *tamper)
{
	struct virtgpu_mock *m = h->mock;

	if (!tamper->kind || tamper->kind >= VIRTGPU_TAMPER_COUNT)
		return;
	mutex_lock(&m->host.lock);
	if (h->count < ARRAY_SIZE(h->tampers))
		h->tampers[h->count++] = *tamper;
	mutex_unlock(&m->host.lock);
}

/* Send all delayed responses. */
void virtgpu_mock_hostile_release(struct virtgpu_mock_hostile *h)
{
	struct virtgpu_mock *m = h->mock;

	mutex_lock(&m->host.lock);
	while (send_due(m, true))
		;
	mutex_unlock(&m->host.lock);
}

/* Send all delayed responses, and tamper with no further ones. */
void virtgpu_mock_hostile_be_honest(struct virtgpu_mock_hostile *h)
{
	mutex_lock(&h->mock->host.lock);
	h->honest = true;
	mutex_unlock(&h->mock->host.lock);
	if (!h->silent[1])
		virtgpu_mock_stalled_cursor(h->mock, false);
	virtgpu_mock_hostile_release(h);
}

/* Process requests of new virtqueues, while the device is reset. */
void virtgpu_mock_hostile_restart(struct virtgpu_mock_hostile *h)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(h->silent); i++) {
		h->silent[i] = false;
		h->mock->host.rings[i].stalled = false;
	}
}

void virtgpu_mock_hostile_init(struct virtgpu_mock_hostile *h, struct virtgpu_mock *m)
{
	memset(h, 0, sizeof(*h));
	h->mock = m;
	INIT_DELAYED_WORK(&h->work, hostile_work);
	m->hostile = h;
}

/* The device must have been unplugged. */
void virtgpu_mock_hostile_fini(struct virtgpu_mock_hostile *h)
{
	cancel_delayed_work_sync(&h->work);
}
