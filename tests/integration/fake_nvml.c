/* A library that stands in for NVIDIA's management library on a machine without a GPU: one GPU, with made-up numbers.
 */

#include <stdio.h>

struct utilization {
  unsigned gpu, memory;
};
struct memory {
  unsigned long long total, free, used;
};

static int device;

int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 1;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** handle) {
  *handle = &device;
  return index == 0 ? 0 : 2;
}
int nvmlDeviceGetUUID(void* handle, char* text, unsigned size) {
  snprintf(text, size, "GPU-11111111-2222-3333-4444-555555555555");
  return handle == &device ? 0 : 2;
}
int nvmlDeviceGetUtilizationRates(void* handle, struct utilization* use) {
  use->gpu = 40;
  use->memory = 10;
  return handle == &device ? 0 : 2;
}
int nvmlDeviceGetMemoryInfo(void* handle, struct memory* memory) {
  memory->total = 8ULL << 30;
  memory->used = 2ULL << 30;
  memory->free = 6ULL << 30;
  return handle == &device ? 0 : 2;
}
int nvmlDeviceGetPowerUsage(void* handle, unsigned* mw) {
  *mw = 90000;
  return handle == &device ? 0 : 2;
}
int nvmlDeviceGetEnforcedPowerLimit(void* handle, unsigned* mw) {
  *mw = 250000;
  return handle == &device ? 0 : 2;
}
/* nvmlDeviceGetTotalEnergyConsumption is left out, as old drivers do. */
