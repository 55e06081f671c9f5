/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Calls with arguments that make sense and arguments that do not: what the
 * fuzzing cases and the replayed ones share.
 */
#ifndef FUZZ_OPS_H
#define FUZZ_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include <virtgpu_drm.h>

#include "buffer.h"

#define THREADS		2
#define SLOTS		16
#define MAX_PROPS	128
#define MAX_FLAT	8
#define MAX_OBJECTS	16
#define MAX_IDS		1024

/*
 * The memory that the pointers in the arguments refer to.  A mutated pointer
 * may still be valid, so nothing else is mapped within four gigabytes of this
 * area: the kernel may overwrite the area, but never the rest of the program.
 */
struct arg_area {
	uint32_t handle[SLOTS];
	uint32_t syncobj[SLOTS];
	uint32_t object[MAX_OBJECTS];
	uint32_t connector;
	struct arg_slot {
		/* With room for all that a kernel may write there. */
		union {
			uint32_t word[256];
			char room[65536];
		} memory;
		uint32_t flat[4][MAX_FLAT];
		uint64_t values[MAX_FLAT];
		struct drm_virtgpu_execbuffer_syncobj sync[4];
		int32_t fence;
	} arg_slot[THREADS];
};

/**
 * struct program - what a program has at hand; its threads race for it
 * @tagged: the IDs of what the driver has made are tags, which stand for the
 *	same with each driver; fuzz_call() puts the IDs in their place
 * @id: the IDs, by the numbers of their tags
 * @object: its CRTC, planes and connector, which @prop belongs to
 */
struct program {
	int fd;
	bool lessee;
	bool tagged;
	int foreign[2];
	int syncfile;
	uint32_t fb[SLOTS];
	uint32_t blob[SLOTS];
	uint32_t id[MAX_IDS];
	int ids;
	uint32_t object[MAX_OBJECTS];
	int objects;
	struct {
		uint32_t object, id, type;
		char name[DRM_PROP_NAME_LEN];
	} prop[MAX_PROPS];
	int props;
	uint32_t connector, crtc, primary, cursor;
	drmModeModeInfo mode;
	struct arg_area *arg_area;
	char *edge;	/* the end of memory */
};

union fuzz_args {
	uint32_t word[128];
	uint64_t quad[64];
};

/**
 * struct thread - one that makes calls
 * @request: of its last call; 0 for mmap
 * @tags: the arguments of that call, with tags
 * @args: the same with IDs, after the call
 * @in: the same, before the call
 * @flat: of ATOMIC, with tags: the object, the number of properties, these
 * @values: of the properties
 * @error: what it came to; 0 or an errno
 */
struct thread {
	struct program *p;
	uint64_t random;
	struct arg_slot *arg_slot;
	unsigned long request;
	union fuzz_args tags, in, args;
	uint32_t flat[3][MAX_FLAT];
	uint64_t values[MAX_FLAT];
	int error;
};

struct op {
	const char *name;
	unsigned long request;
	void (*fill)(struct thread *t, void *data);
	void (*end)(struct thread *t, void *data);
	int weight;
	bool as_is;	/* with other values it would wait for long, or at all */
};

enum outcome { NOT_MADE, FAILED, SUCCEEDED };

extern const struct op ops[];
extern const int num_ops;

uint32_t below(struct thread *t, uint32_t n);
uint32_t odd_value(struct thread *t);
/* The same, but no number that may be an ID where IDs are tags. */
uint32_t odd_word(struct thread *t);

int pick_op(struct thread *t);
/* Make a call of a kind. */
enum outcome fuzz_call(struct thread *t, const struct op *op);

void prepare_arg_area(struct program *p);
/* Take faults of mmap's memory. */
void prepare_faults(void);
/* Find an output's objects and their properties; make buffers to import. */
void learn(struct program *p, const struct output *out);
/* The ID that a tag stands for; any other value itself. */
uint32_t real_id(const struct program *p, uint32_t value);
/* A tag for the ID of what was just made, or the ID where there are no tags. */
uint32_t new_id(struct program *p, uint32_t id);

#endif /* FUZZ_OPS_H */
