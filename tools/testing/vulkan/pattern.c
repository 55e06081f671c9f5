// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * virtgpu-vulkan: have the host compute a picture by Vulkan, and look at every
 * pixel of it.
 *
 * The picture is in memory that the host has and the guest maps. A second round
 * goes into the same mapping, so what is seen is the host's memory itself and
 * not what it held earlier. Then the program waits for the end of its input:
 * its memory can be looked for meanwhile.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

#include "pattern.spv.h"

#define WIDTH 1024
#define HEIGHT 768
#define TILE 16
#define BYTES (WIDTH * HEIGHT * sizeof(uint32_t))
#define ROUNDS 2

struct round {
	uint32_t width;
	uint32_t number;
};

#define TRY(call)							\
do {									\
	VkResult result = (call);					\
									\
	if (result != VK_SUCCESS) {					\
		printf("%s: VkResult %d\n", #call, result);		\
		exit(1);						\
	}								\
} while (0)

/* Does the host render for it, through Mesa's Venus? */
static int is_venus(VkPhysicalDevice physical)
{
	VkPhysicalDeviceDriverProperties driver = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
	};
	VkPhysicalDeviceProperties2 properties = {
		.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver,
	};

	vkGetPhysicalDeviceProperties2(physical, &properties);
	printf("%s (%s, %s)\n", properties.properties.deviceName, driver.driverName,
	       driver.driverInfo);

	return driver.driverID == VK_DRIVER_ID_MESA_VENUS;
}

static VkPhysicalDevice find_venus(VkInstance instance)
{
	VkPhysicalDevice found[8];
	uint32_t count = 8, i;

	TRY(vkEnumeratePhysicalDevices(instance, &count, found));
	for (i = 0; i < count; i++)
		if (is_venus(found[i]))
			return found[i];
	printf("none of %u devices is Venus\n", count);
	exit(1);
}

static uint32_t find_queue(VkPhysicalDevice physical)
{
	VkQueueFamilyProperties families[8];
	uint32_t count = 8, i;

	vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, families);
	for (i = 0; i < count; i++)
		if (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)
			return i;
	printf("no queue computes\n");
	exit(1);
}

static uint32_t find_memory(VkPhysicalDevice physical, uint32_t types)
{
	const VkMemoryPropertyFlags want = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
					   VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
	VkPhysicalDeviceMemoryProperties memory;
	uint32_t i;

	vkGetPhysicalDeviceMemoryProperties(physical, &memory);
	for (i = 0; i < memory.memoryTypeCount; i++)
		if (types & 1u << i && (memory.memoryTypes[i].propertyFlags & want) == want)
			return i;
	printf("no memory can be mapped\n");
	exit(1);
}

static const uint32_t *new_picture(VkPhysicalDevice physical, VkDevice device, VkBuffer *buffer)
{
	VkBufferCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
		.size = BYTES, .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT,
	};
	VkMemoryAllocateInfo allocate = { .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO };
	VkMemoryRequirements need;
	VkDeviceMemory memory;
	void *pixels;

	TRY(vkCreateBuffer(device, &info, NULL, buffer));
	vkGetBufferMemoryRequirements(device, *buffer, &need);
	allocate.allocationSize = need.size;
	allocate.memoryTypeIndex = find_memory(physical, need.memoryTypeBits);
	TRY(vkAllocateMemory(device, &allocate, NULL, &memory));
	TRY(vkBindBufferMemory(device, *buffer, memory, 0));
	TRY(vkMapMemory(device, memory, 0, VK_WHOLE_SIZE, 0, &pixels));

	return pixels;
}

struct shader {
	VkPipelineLayout layout;
	VkPipeline pipeline;
	VkDescriptorSet set;
};

static void new_shader(VkDevice device, VkBuffer buffer, struct shader *shader)
{
	VkDescriptorSetLayoutBinding binding = {
		.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, .descriptorCount = 1,
		.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
	};
	VkDescriptorSetLayoutCreateInfo set_info = {
		.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
		.bindingCount = 1, .pBindings = &binding,
	};
	VkPushConstantRange round = { VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(struct round) };
	VkDescriptorSetLayout set_layout;
	VkPipelineLayoutCreateInfo layout_info = {
		.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
		.setLayoutCount = 1, .pSetLayouts = &set_layout,
		.pushConstantRangeCount = 1, .pPushConstantRanges = &round,
	};
	VkShaderModuleCreateInfo code = {
		.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
		.codeSize = sizeof(pattern_code), .pCode = pattern_code,
	};
	VkComputePipelineCreateInfo pipeline = {
		.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
		.stage = {
			.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
			.stage = VK_SHADER_STAGE_COMPUTE_BIT, .pName = "main",
		},
	};
	VkDescriptorPoolSize size = { VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1 };
	VkDescriptorPoolCreateInfo pool_info = {
		.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
		.maxSets = 1, .poolSizeCount = 1, .pPoolSizes = &size,
	};
	VkDescriptorSetAllocateInfo allocate = {
		.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
		.descriptorSetCount = 1, .pSetLayouts = &set_layout,
	};
	VkDescriptorBufferInfo whole = { buffer, 0, VK_WHOLE_SIZE };
	VkWriteDescriptorSet write = {
		.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
		.descriptorCount = 1, .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
		.pBufferInfo = &whole,
	};

	TRY(vkCreateDescriptorSetLayout(device, &set_info, NULL, &set_layout));
	TRY(vkCreatePipelineLayout(device, &layout_info, NULL, &shader->layout));
	TRY(vkCreateShaderModule(device, &code, NULL, &pipeline.stage.module));
	pipeline.layout = shader->layout;
	TRY(vkCreateComputePipelines(device, NULL, 1, &pipeline, NULL, &shader->pipeline));

	TRY(vkCreateDescriptorPool(device, &pool_info, NULL, &allocate.descriptorPool));
	TRY(vkAllocateDescriptorSets(device, &allocate, &shader->set));
	write.dstSet = shader->set;
	vkUpdateDescriptorSets(device, 1, &write, 0, NULL);
}

static void record(VkCommandBuffer commands, const struct shader *shader, uint32_t number)
{
	VkCommandBufferBeginInfo begin = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
	};
	VkMemoryBarrier to_host = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
		.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT,
		.dstAccessMask = VK_ACCESS_HOST_READ_BIT,
	};
	struct round round = { WIDTH, number };

	TRY(vkBeginCommandBuffer(commands, &begin));
	vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, shader->pipeline);
	vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, shader->layout, 0, 1,
				&shader->set, 0, NULL);
	vkCmdPushConstants(commands, shader->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, sizeof(round),
			   &round);
	vkCmdDispatch(commands, WIDTH / TILE, HEIGHT / TILE, 1);
	vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
			     VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &to_host, 0, NULL, 0, NULL);
	TRY(vkEndCommandBuffer(commands));
}

static void compute(VkDevice device, uint32_t family, const struct shader *shader, uint32_t number)
{
	VkCommandPoolCreateInfo pool_info = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, .queueFamilyIndex = family,
	};
	VkCommandBufferAllocateInfo allocate = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
		.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY, .commandBufferCount = 1,
	};
	VkFenceCreateInfo fence_info = { .sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO };
	VkCommandBuffer commands;
	VkSubmitInfo submit = {
		.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
		.commandBufferCount = 1, .pCommandBuffers = &commands,
	};
	VkQueue queue;
	VkFence fence;

	TRY(vkCreateCommandPool(device, &pool_info, NULL, &allocate.commandPool));
	TRY(vkAllocateCommandBuffers(device, &allocate, &commands));
	TRY(vkCreateFence(device, &fence_info, NULL, &fence));
	record(commands, shader, number);
	vkGetDeviceQueue(device, family, 0, &queue);
	TRY(vkQueueSubmit(queue, 1, &submit, fence));
	TRY(vkWaitForFences(device, 1, &fence, VK_TRUE, UINT64_MAX));
	vkDestroyFence(device, fence, NULL);
	vkDestroyCommandPool(device, allocate.commandPool, NULL);
}

static uint32_t wrong_pixels(const uint32_t *pixels, uint32_t number)
{
	uint32_t x, y, want, wrong = 0;

	for (y = 0; y < HEIGHT; y++) {
		for (x = 0; x < WIDTH; x++) {
			want = (y << 16 | x) * 2654435761u + number;
			if (pixels[y * WIDTH + x] == want)
				continue;
			if (!wrong++)
				printf("round %u: at %u, %u is %08x and not %08x\n", number, x, y,
				       pixels[y * WIDTH + x], want);
		}
	}

	return wrong;
}

int main(void)
{
	VkApplicationInfo app = {
		.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_2,
	};
	VkInstanceCreateInfo instance_info = {
		.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &app,
	};
	float priority = 1;
	VkDeviceQueueCreateInfo queue_info = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
		.queueCount = 1, .pQueuePriorities = &priority,
	};
	VkDeviceCreateInfo device_info = {
		.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
		.queueCreateInfoCount = 1, .pQueueCreateInfos = &queue_info,
	};
	uint32_t number, wrong = 0;
	VkPhysicalDevice physical;
	const uint32_t *pixels;
	struct shader shader;
	VkInstance instance;
	VkDevice device;
	VkBuffer buffer;

	TRY(vkCreateInstance(&instance_info, NULL, &instance));
	physical = find_venus(instance);
	queue_info.queueFamilyIndex = find_queue(physical);
	TRY(vkCreateDevice(physical, &device_info, NULL, &device));
	pixels = new_picture(physical, device, &buffer);
	new_shader(device, buffer, &shader);

	for (number = 1; number <= ROUNDS; number++) {
		compute(device, queue_info.queueFamilyIndex, &shader, number);
		wrong += wrong_pixels(pixels, number);
	}
	printf("pixels=%d wrong=%u bytes=%zu\n", ROUNDS * WIDTH * HEIGHT, wrong, BYTES);
	fflush(stdout);
	getchar();

	return wrong ? 1 : 0;
}
