// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/test.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/virtio_ring.h>

#include "virtgpu_mock.h"
#include "virtgpu_mock_hostile.h"

/*
 * Device side of the virtqueues.  A work item processes requests in ring order,
 * unless the test calls virtgpu_mock_freeze() and steps the host.
 */

static unsigned int type_index(u32 type)
{
	unsigned int group = (type >> 8) - 1, n = type & 0xff;

	return group < 3 && n < 32 ? group * 32 + n : 0;
}

static u16 *avail_event(struct virtgpu_mock_ring *ring)
{
	const struct vring *vring = virtqueue_get_vring(ring->vq);

	return (__force u16 *)&vring->used->ring[vring->num];
}

/* Enable notifications.  Return: true if a request is already available. */
static bool enable_notify(struct virtgpu_mock_ring *ring)
{
	const struct vring *vring = virtqueue_get_vring(ring->vq);
	__virtio16 idx;

	if (!virtgpu_mock_has(ring->mock, VIRTIO_RING_F_EVENT_IDX))
		return false;

	WRITE_ONCE(*avail_event(ring),
		   (__force u16)cpu_to_virtio16(&ring->mock->vdev, ring->vrh.last_avail_idx));
	virtio_mb(true);
	idx = READ_ONCE(vring->avail->idx);

	return virtio16_to_cpu(&ring->mock->vdev, idx) != ring->vrh.last_avail_idx;
}

/* Free a request without a response. */
void virtgpu_mock_host_drop(struct virtgpu_mock_request *rq)
{
	vringh_kiov_cleanup(&rq->out);
	vringh_kiov_cleanup(&rq->in);
	kvfree(rq->bytes);
	kfree(rq->resp);
	kfree(rq);
}

/* Get the next request of a ring, or NULL. */
static struct virtgpu_mock_request *get_request(struct virtgpu_mock_ring *ring)
{
	struct virtgpu_mock_request *rq = kzalloc_obj(*rq);
	int ret;

	if (!rq)
		return NULL;

	rq->ring = ring;
	vringh_kiov_init(&rq->out, NULL, 0);
	vringh_kiov_init(&rq->in, NULL, 0);
	ret = vringh_getdesc_iotlb(&ring->vrh, &rq->out, &rq->in, &rq->head, GFP_KERNEL);
	if (ret < 0)
		virtgpu_mock_spec_violation(ring->mock, "ring %u has a bad chain: %d", ring->index,
					    ret);
	if (ret <= 0)
		goto free;

	if (rq->out.used + rq->in.used > ring->vrh.vring.num)
		virtgpu_mock_spec_violation(ring->mock, "a chain of %u, longer than the ring",
					    rq->out.used + rq->in.used);
	rq->size = vringh_kiov_length(&rq->out);
	rq->room = vringh_kiov_length(&rq->in);
	rq->bytes = kvzalloc(max_t(u32, rq->size, sizeof(struct virtio_gpu_ctrl_hdr)), GFP_KERNEL);
	rq->resp = kzalloc(VIRTGPU_MOCK_RESP_MAX, GFP_KERNEL);
	if (!rq->bytes || !rq->resp)
		goto free;
	if (vringh_iov_pull_iotlb(&ring->vrh, &rq->out, rq->bytes, rq->size) != rq->size)
		virtgpu_mock_spec_violation(ring->mock, "a request is not readable");
	rq->type = le32_to_cpu(((struct virtio_gpu_ctrl_hdr *)rq->bytes)->type);

	return rq;
free:
	virtgpu_mock_host_drop(rq);
	return NULL;
}

static void log_request(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	struct virtgpu_mock_log_entry *e = &m->host.log[m->host.logged++ % VIRTGPU_MOCK_LOG];
	const struct virtio_gpu_ctrl_hdr *hdr = rq->bytes;

	e->type = rq->type;
	e->kick = atomic_read(&rq->ring->kicks);
	virtgpu_mock_device_get_target(rq, &e->resource, &e->scanout);
	e->context = le32_to_cpu(hdr->ctx_id);
	e->timeline = hdr->flags & cpu_to_le32(VIRTIO_GPU_FLAG_INFO_RING_IDX) ?
		      hdr->ring_idx : -1;
	m->host.counts[type_index(rq->type)]++;
}

static void check_fence(struct virtgpu_mock_request *rq)
{
	const struct virtio_gpu_ctrl_hdr *hdr = rq->bytes;
	u64 id = le64_to_cpu(hdr->fence_id);

	if (!(hdr->flags & cpu_to_le32(VIRTIO_GPU_FLAG_FENCE))) {
		if (id)
			virtgpu_mock_spec_violation(rq->ring->mock, "fence id %llu without a fence",
						    id);
		return;
	}
	if (id <= rq->ring->last_fence)
		virtgpu_mock_spec_violation(rq->ring->mock, "fence id %llu after %llu", id,
					    rq->ring->last_fence);
	rq->ring->last_fence = id;
}

/* Find the rule that applies to a request, or NULL. */
static struct virtgpu_mock_rule *find_rule(struct virtgpu_mock *m, u32 type)
{
	struct virtgpu_mock_rule *rule;

	list_for_each_entry(rule, &m->host.rules, link) {
		if (rule->type != type)
			continue;
		if (rule->skip) {
			rule->skip--;
			continue;
		}
		return rule;
	}

	return NULL;
}

static void consume_rule(struct virtgpu_mock_rule *rule)
{
	if (!rule->times || --rule->times)
		return;
	list_del(&rule->link);
	kfree(rule);
}

void virtgpu_mock_host_fill_header(struct virtgpu_mock_request *rq, u32 type)
{
	const struct virtio_gpu_ctrl_hdr *hdr = rq->bytes;
	struct virtio_gpu_ctrl_hdr *resp = (void *)rq->resp;

	resp->type = cpu_to_le32(type);
	if (hdr->flags & cpu_to_le32(VIRTIO_GPU_FLAG_FENCE)) {
		resp->flags = cpu_to_le32(VIRTIO_GPU_FLAG_FENCE);
		resp->fence_id = hdr->fence_id;
	}
	if (type <= VIRTIO_GPU_RESP_OK_NODATA || type >= VIRTIO_GPU_RESP_ERR_UNSPEC)
		rq->resp_size = sizeof(*resp);
}

/* Raise the interrupt of a ring. */
void virtgpu_mock_host_interrupt(struct virtgpu_mock_ring *ring)
{
	unsigned long flags;

	local_irq_save(flags);
	vring_interrupt(0, ring->vq);
	local_irq_restore(flags);
}

/**
 * virtgpu_mock_host_complete() - Return a request to the driver
 * @rq: the request; freed
 * @size: size of the response in bytes
 * @used: length in the used ring in bytes
 *
 * Context: Caller must hold @host.lock.
 */
void virtgpu_mock_host_complete(struct virtgpu_mock_request *rq, u32 size, u32 used)
{
	struct virtgpu_mock_ring *ring = rq->ring;

	size = min(size, rq->room);
	if (size && vringh_iov_push_iotlb(&ring->vrh, &rq->in, rq->resp, size) != size)
		virtgpu_mock_spec_violation(ring->mock, "a response buffer is not writable");
	virtgpu_mock_device_responded(ring->mock, rq);
	vringh_complete_iotlb(&ring->vrh, rq->head, used);
	virtgpu_mock_host_drop(rq);

	if (vringh_need_notify_iotlb(&ring->vrh) > 0)
		virtgpu_mock_host_interrupt(ring);
}

static void respond(struct virtgpu_mock_request *rq)
{
	u32 used = min(rq->resp_size, rq->room);

	virtgpu_mock_host_complete(rq, used, used);
}

/**
 * virtgpu_mock_host_release() - Send the held response to a request
 * @rq: the request; freed
 *
 * Context: Caller must hold @host.lock.
 */
void virtgpu_mock_host_release(struct virtgpu_mock_request *rq)
{
	list_del(&rq->link);
	respond(rq);
}

static void respond_malformed(struct virtgpu_mock_request *rq, const struct virtgpu_mock_rule *rule)
{
	u32 used = min(rq->resp_size, rq->room);

	if (rule->garble)
		memset(rq->resp, 0xa5, VIRTGPU_MOCK_RESP_MAX);
	if (rule->cut)
		used = rule->cut == VIRTGPU_MOCK_NOTHING ? 0 : min(used, rule->cut);
	virtgpu_mock_host_complete(rq, used, rule->excess ? rq->room + rule->excess : used);
}

static void process_request(struct virtgpu_mock *m, struct virtgpu_mock_request *rq)
{
	struct virtgpu_mock_rule *rule = find_rule(m, rq->type);
	u32 type;

	log_request(m, rq);
	check_fence(rq);
	if (m->hostile) {
		virtgpu_mock_hostile_respond(m->hostile, rq);
		return;
	}

	if (rule && rule->error >= VIRTIO_GPU_RESP_ERR_UNSPEC)
		virtgpu_mock_device_reject(m, rq);
	else
		type = virtgpu_mock_device_execute(m, rq);
	if (rule && rule->error)
		type = rule->error;
	virtgpu_mock_host_fill_header(rq, type);

	if (rq->held || (rule && rule->hold))
		list_add_tail(&rq->link, &m->host.held);
	else if (rule)
		respond_malformed(rq, rule);
	else
		respond(rq);
	if (rule)
		consume_rule(rule);
}

static bool step_ring(struct virtgpu_mock_ring *ring)
{
	struct virtgpu_mock *m = ring->mock;
	struct virtgpu_mock_request *rq;

	if (!ring->vq || ring->stalled)
		return false;

	do {
		rq = get_request(ring);
	} while (!rq && enable_notify(ring));
	if (!rq)
		return false;

	if (!(m->status & VIRTIO_CONFIG_S_DRIVER_OK))
		virtgpu_mock_spec_violation(m, "command 0x%04x before DRIVER_OK", rq->type);
	process_request(m, rq);

	return true;
}

static bool step(struct virtgpu_mock *m)
{
	return step_ring(&m->host.rings[0]) || step_ring(&m->host.rings[1]);
}

static void host_work(struct work_struct *work)
{
	struct virtgpu_mock *m = container_of(work, struct virtgpu_mock, host.work);

	mutex_lock(&m->host.lock);
	while (!m->host.stopped && step(m))
		;
	mutex_unlock(&m->host.lock);
}

/**
 * virtgpu_mock_host_notify() - Handle a notification by the driver
 * @ring: the ring
 *
 * Context: Any.
 */
void virtgpu_mock_host_notify(struct virtgpu_mock_ring *ring)
{
	struct virtgpu_mock_host *host = &ring->mock->host;

	atomic_inc(&ring->kicks);
	if (!READ_ONCE(host->stopped))
		queue_work(host->wq, &host->work);
}

static void thaw_work(struct work_struct *work)
{
	virtgpu_mock_thaw(container_of(to_delayed_work(work), struct virtgpu_mock,
				       host.thaw_work));
}

/*
 * Setup and teardown
 */

int virtgpu_mock_host_init(struct virtgpu_mock *m)
{
	struct virtgpu_mock_host *host = &m->host;

	mutex_init(&host->lock);
	spin_lock_init(&host->iotlb_lock);
	INIT_LIST_HEAD(&host->rules);
	INIT_LIST_HEAD(&host->held);
	INIT_WORK(&host->work, host_work);
	INIT_DELAYED_WORK(&host->thaw_work, thaw_work);
	/* One entry cannot hold the size of the whole address space. */
	vhost_iotlb_init(&host->iotlb, 2, 0);
	if (vhost_iotlb_add_range(&host->iotlb, 0, ULONG_MAX, 0, VHOST_MAP_RW))
		return -ENOMEM;
	host->wq = alloc_workqueue("virtgpu_mock", WQ_UNBOUND, 1);
	if (!host->wq) {
		vhost_iotlb_reset(&host->iotlb);
		return -ENOMEM;
	}

	return 0;
}

static void drop_held(struct virtgpu_mock *m)
{
	struct virtgpu_mock_request *rq, *next;

	list_for_each_entry_safe(rq, next, &m->host.held, link) {
		list_del(&rq->link);
		virtgpu_mock_host_drop(rq);
	}
}

void virtgpu_mock_host_fini(struct virtgpu_mock *m)
{
	cancel_delayed_work_sync(&m->host.thaw_work);
	destroy_workqueue(m->host.wq);
	virtgpu_mock_clear_rules(m);
	drop_held(m);
	vhost_iotlb_reset(&m->host.iotlb);
}

/* Attach to a virtqueue of the driver. */
int virtgpu_mock_host_start(struct virtgpu_mock *m, unsigned int index, struct virtqueue *vq)
{
	struct virtgpu_mock_ring *ring = &m->host.rings[index];
	int ret;

	mutex_lock(&m->host.lock);
	ring->mock = m;
	ring->index = index;
	ring->last_fence = 0;
	ret = vringh_init_iotlb(&ring->vrh, m->vdev.features, virtqueue_get_vring_size(vq), true,
				(void *)(uintptr_t)virtqueue_get_desc_addr(vq),
				(void *)(uintptr_t)virtqueue_get_avail_addr(vq),
				(void *)(uintptr_t)virtqueue_get_used_addr(vq));
	vringh_set_iotlb(&ring->vrh, &m->host.iotlb, &m->host.iotlb_lock);
	vq->priv = ring;
	ring->vq = ret ? NULL : vq;
	mutex_unlock(&m->host.lock);

	return ret;
}

void virtgpu_mock_host_stop(struct virtgpu_mock *m)
{
	mutex_lock(&m->host.lock);
	m->host.rings[0].vq = NULL;
	m->host.rings[1].vq = NULL;
	drop_held(m);
	mutex_unlock(&m->host.lock);
}

/* On return the host does not access the rings, and no callback is running. */
void virtgpu_mock_host_reset(struct virtgpu_mock *m)
{
	virtgpu_mock_host_stop(m);
}

/*
 * Control and queries by tests
 */

/**
 * virtgpu_mock_freeze() - Process requests in virtgpu_mock_step() only
 * @m: the device
 */
void virtgpu_mock_freeze(struct virtgpu_mock *m)
{
	mutex_lock(&m->host.lock);
	WRITE_ONCE(m->host.stopped, true);
	mutex_unlock(&m->host.lock);
}

/**
 * virtgpu_mock_thaw() - Process requests asynchronously again
 * @m: the device
 */
void virtgpu_mock_thaw(struct virtgpu_mock *m)
{
	mutex_lock(&m->host.lock);
	WRITE_ONCE(m->host.stopped, false);
	mutex_unlock(&m->host.lock);
	queue_work(m->host.wq, &m->host.work);
}

/**
 * virtgpu_mock_thaw_later() - Process requests again while the test waits
 * @m: the mock device
 */
void virtgpu_mock_thaw_later(struct virtgpu_mock *m)
{
	schedule_delayed_work(&m->host.thaw_work, HZ / 10);
}

/**
 * virtgpu_mock_step() - Process one request
 * @m: a frozen device
 *
 * Return: true, or false if no request was available.
 */
bool virtgpu_mock_step(struct virtgpu_mock *m)
{
	bool ret;

	mutex_lock(&m->host.lock);
	ret = step(m);
	mutex_unlock(&m->host.lock);

	return ret;
}

/**
 * virtgpu_mock_run() - Process all available requests
 * @m: a frozen device
 *
 * Return: number of processed requests.
 */
unsigned int virtgpu_mock_run(struct virtgpu_mock *m)
{
	unsigned int n = 0;

	while (virtgpu_mock_step(m))
		n++;

	return n;
}

/**
 * virtgpu_mock_wait_idle() - Wait until all requests are processed
 * @m: the device
 */
void virtgpu_mock_wait_idle(struct virtgpu_mock *m)
{
	queue_work(m->host.wq, &m->host.work);
	flush_work(&m->host.work);
}

/**
 * virtgpu_mock_rule() - Add a rule
 * @m: the device
 * @rule: the rule; copied
 */
void virtgpu_mock_rule(struct virtgpu_mock *m, const struct virtgpu_mock_rule *rule)
{
	struct virtgpu_mock_rule *copy = kmemdup(rule, sizeof(*rule), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(m->test, copy);
	mutex_lock(&m->host.lock);
	list_add_tail(&copy->link, &m->host.rules);
	mutex_unlock(&m->host.lock);
}

/**
 * virtgpu_mock_clear_rules() - Remove all rules
 * @m: the device
 */
void virtgpu_mock_clear_rules(struct virtgpu_mock *m)
{
	struct virtgpu_mock_rule *rule, *next;

	mutex_lock(&m->host.lock);
	list_for_each_entry_safe(rule, next, &m->host.rules, link) {
		list_del(&rule->link);
		kfree(rule);
	}
	mutex_unlock(&m->host.lock);
}

/**
 * virtgpu_mock_reject() - Respond to commands with an error
 * @m: the device
 * @type: VIRTIO_GPU_CMD_*
 * @error: VIRTIO_GPU_RESP_ERR_*
 */
void virtgpu_mock_reject(struct virtgpu_mock *m, u32 type, u32 error)
{
	struct virtgpu_mock_rule rule = { .type = type, .error = error };

	virtgpu_mock_rule(m, &rule);
}

/**
 * virtgpu_mock_hold() - Execute commands, but hold their responses
 * @m: the device
 * @type: VIRTIO_GPU_CMD_*
 */
void virtgpu_mock_hold(struct virtgpu_mock *m, u32 type)
{
	struct virtgpu_mock_rule rule = { .type = type, .hold = true };

	virtgpu_mock_rule(m, &rule);
}

static void remove_hold_rules(struct virtgpu_mock *m, u32 type)
{
	struct virtgpu_mock_rule *rule, *next;

	list_for_each_entry_safe(rule, next, &m->host.rules, link) {
		if (!rule->hold || (type && rule->type != type))
			continue;
		list_del(&rule->link);
		kfree(rule);
	}
}

/**
 * virtgpu_mock_release_one() - Send one held response
 * @m: the device
 * @type: VIRTIO_GPU_CMD_*, 0 for any
 * @skip: number of older held responses to skip
 *
 * Return: true, or false if no such response is held.
 */
bool virtgpu_mock_release_one(struct virtgpu_mock *m, u32 type, unsigned int skip)
{
	struct virtgpu_mock_request *rq;
	bool found = false;

	mutex_lock(&m->host.lock);
	list_for_each_entry(rq, &m->host.held, link) {
		if ((type && rq->type != type) || skip--)
			continue;
		found = true;
		virtgpu_mock_host_release(rq);
		break;
	}
	mutex_unlock(&m->host.lock);

	return found;
}

/**
 * virtgpu_mock_release() - Send held responses, and stop holding more
 * @m: the device
 * @type: VIRTIO_GPU_CMD_*, 0 for any
 *
 * Return: number of sent responses.
 */
unsigned int virtgpu_mock_release(struct virtgpu_mock *m, u32 type)
{
	unsigned int n = 0;

	mutex_lock(&m->host.lock);
	remove_hold_rules(m, type);
	mutex_unlock(&m->host.lock);
	while (virtgpu_mock_release_one(m, type, 0))
		n++;

	return n;
}

/**
 * virtgpu_mock_held() - Get the number of held responses
 * @m: the device
 * @type: VIRTIO_GPU_CMD_*, 0 for any
 *
 * Return: number of held responses.
 */
unsigned int virtgpu_mock_held(struct virtgpu_mock *m, u32 type)
{
	struct virtgpu_mock_request *rq;
	unsigned int n = 0;

	mutex_lock(&m->host.lock);
	list_for_each_entry(rq, &m->host.held, link)
		n += !type || rq->type == type;
	mutex_unlock(&m->host.lock);

	return n;
}

/**
 * virtgpu_mock_stalled_cursor() - Stall the cursor queue, as some hosts do
 * @m: the device
 * @stalled: stall, or process requests again
 */
void virtgpu_mock_stalled_cursor(struct virtgpu_mock *m, bool stalled)
{
	mutex_lock(&m->host.lock);
	m->host.rings[1].stalled = stalled;
	mutex_unlock(&m->host.lock);
	if (!stalled)
		queue_work(m->host.wq, &m->host.work);
}

unsigned int virtgpu_mock_count(struct virtgpu_mock *m, u32 type)
{
	unsigned int n;

	mutex_lock(&m->host.lock);
	n = m->host.counts[type_index(type)];
	mutex_unlock(&m->host.lock);

	return n;
}

/* Get the current position in the log. */
unsigned int virtgpu_mock_log_pos(struct virtgpu_mock *m)
{
	unsigned int n;

	mutex_lock(&m->host.lock);
	n = m->host.logged;
	mutex_unlock(&m->host.lock);

	return n;
}

bool virtgpu_mock_log_entry(struct virtgpu_mock *m, unsigned int i,
			    struct virtgpu_mock_log_entry *e)
{
	bool ret;

	mutex_lock(&m->host.lock);
	ret = i < m->host.logged && m->host.logged - i <= VIRTGPU_MOCK_LOG;
	if (ret)
		*e = m->host.log[i % VIRTGPU_MOCK_LOG];
	mutex_unlock(&m->host.lock);

	return ret;
}

/* Find the first command of a type at or after the log position @from. */
bool virtgpu_mock_find(struct virtgpu_mock *m, unsigned int from, u32 type,
		       struct virtgpu_mock_log_entry *e)
{
	for (; virtgpu_mock_log_entry(m, from, e); from++)
		if (e->type == type)
			return true;

	return false;
}

unsigned int virtgpu_mock_kicks(struct virtgpu_mock *m, unsigned int ring)
{
	return atomic_read(&m->host.rings[ring].kicks);
}
