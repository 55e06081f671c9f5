// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <kunit/visibility.h>
#include <linux/minmax.h>
#include <drm/drm_damage_helper.h>

#include "virtgpu_damage.h"

/**
 * DOC: damage
 *
 * User space reports the difference between a frame and the frame before, even
 * if the two are in different buffers. The host's copy of a buffer is older:
 * with two buffers it is equal to the last frame but one. The damage of all
 * frames since the copy was made must be transferred. The damage of the last
 * VIRTGPU_DAMAGE_FRAMES frames is kept, together with the resources that were
 * transferred. A copy that is older is transferred as a whole.
 */

static int virtgpu_damage_area(const struct drm_rect *r)
{
	return drm_rect_width(r) * drm_rect_height(r);
}

static struct drm_rect virtgpu_damage_union(const struct drm_rect *a, const struct drm_rect *b)
{
	return (struct drm_rect) {
		.x1 = min(a->x1, b->x1),
		.y1 = min(a->y1, b->y1),
		.x2 = max(a->x2, b->x2),
		.y2 = max(a->y2, b->y2),
	};
}

/* Return: pixels of the union of @a and @b that are in neither, at least. */
static int virtgpu_damage_waste(const struct drm_rect *a, const struct drm_rect *b)
{
	struct drm_rect both = virtgpu_damage_union(a, b);

	return virtgpu_damage_area(&both) - virtgpu_damage_area(a) - virtgpu_damage_area(b);
}

/*
 * Unite @add with a rectangle if that adds no pixels, or if there is no room
 * for another rectangle.
 */
static void virtgpu_damage_include(struct virtgpu_damage_rects *set, struct drm_rect add)
{
	unsigned int i, best;

	while (set->count) {
		best = 0;
		for (i = 1; i < set->count; i++)
			if (virtgpu_damage_waste(&set->rects[i], &add) <
			    virtgpu_damage_waste(&set->rects[best], &add))
				best = i;
		if (virtgpu_damage_waste(&set->rects[best], &add) > 0 &&
		    set->count < VIRTGPU_DAMAGE_RECTS)
			break;
		add = virtgpu_damage_union(&set->rects[best], &add);
		set->rects[best] = set->rects[--set->count];
	}
	set->rects[set->count++] = add;
}

/**
 * virtgpu_damage_add() - Add a frame
 * @d: the damage of an output
 * @old: state of the primary plane in the frame before
 * @new: the new state
 *
 * Context: Caller must hold the lock that protects @d.
 * Return: the difference between the frames, valid until the next call.
 */
const struct virtgpu_damage_rects *virtgpu_damage_add(struct virtgpu_damage *d,
						      const struct drm_plane_state *old,
						      const struct drm_plane_state *new)
{
	struct drm_atomic_helper_damage_iter iter;
	struct virtgpu_damage_rects *rects;
	struct drm_rect clip;

	d->seq++;
	d->frames[d->seq % VIRTGPU_DAMAGE_FRAMES].resource = 0;
	rects = &d->frames[d->seq % VIRTGPU_DAMAGE_FRAMES].rects;
	rects->count = 0;
	drm_atomic_helper_damage_iter_init(&iter, old, new);
	drm_atomic_for_each_plane_damage(&iter, &clip)
		virtgpu_damage_include(rects, clip);

	return rects;
}

/**
 * virtgpu_damage_copied() - Note that the copy of a resource equals a frame
 * @d: the damage of an output
 * @seq: the frame, a former value of &virtgpu_damage.seq
 * @resource: ID of the resource, with its transfer queued
 *
 * Context: Caller must hold the lock that protects @d.
 */
void virtgpu_damage_copied(struct virtgpu_damage *d, u64 seq, u32 resource)
{
	/* A frame may have waited while more than a ring of others came. */
	if (d->seq - seq < VIRTGPU_DAMAGE_FRAMES)
		d->frames[seq % VIRTGPU_DAMAGE_FRAMES].resource = resource;
}

/**
 * virtgpu_damage_since() - Get the damage since the copy of a resource was made
 * @d: the damage of an output, including that of the new frame
 * @resource: ID of the resource of the new frame
 * @rects: filled in; no rectangles if the copy equals the frame
 *
 * Context: Caller must hold the lock that protects @d.
 * Return: false if the copy is older than the frames that @d has.
 */
bool virtgpu_damage_since(const struct virtgpu_damage *d, u32 resource,
			  struct virtgpu_damage_rects *rects)
{
	const struct virtgpu_damage_rects *frame;
	unsigned int age, i;
	u64 seq = d->seq;

	rects->count = 0;
	for (age = 0; age < VIRTGPU_DAMAGE_FRAMES; age++, seq--) {
		if (d->frames[seq % VIRTGPU_DAMAGE_FRAMES].resource == resource)
			return true;
		frame = &d->frames[seq % VIRTGPU_DAMAGE_FRAMES].rects;
		for (i = 0; i < frame->count; i++)
			virtgpu_damage_include(rects, frame->rects[i]);
	}

	return false;
}

/**
 * virtgpu_damage_bounds() - Get the rectangle around rectangles
 * @rects: the rectangles, at least one
 * @bounds: filled in
 *
 * Context: Any.
 */
void virtgpu_damage_bounds(const struct virtgpu_damage_rects *rects, struct drm_rect *bounds)
{
	unsigned int i;

	*bounds = rects->rects[0];
	for (i = 1; i < rects->count; i++)
		*bounds = virtgpu_damage_union(bounds, &rects->rects[i]);
}
