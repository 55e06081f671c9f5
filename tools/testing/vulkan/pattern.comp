// SPDX-License-Identifier: GPL-2.0-only OR MIT
#version 450

// A word for each pixel, which says where it is and in which round it was written.

layout(local_size_x = 16, local_size_y = 16) in;
layout(std430, binding = 0) buffer Picture { uint pixel[]; };
layout(push_constant) uniform Round { uint width; uint number; };

void main()
{
	uvec2 at = gl_GlobalInvocationID.xy;

	pixel[at.y * width + at.x] = (at.y << 16 | at.x) * 2654435761u + number;
}
