/* A driver that stands in for CUDA's on a machine without a GPU: one GPU, whose memory of another process is a file
   that its handle names. */

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
  char name[64];
} handle;

static int context;
static __thread int depth;
static struct {
  uint64_t at;
  size_t size;
} mapped[16];

int cuInit(unsigned flags) { return (int)flags; }
int cuDeviceGetCount(int* count) {
  *count = 1;
  return 0;
}
int cuDeviceGet(int* device, int index) {
  *device = index;
  return 0;
}
int cuDevicePrimaryCtxRetain(void** made, int device) {
  *made = &context;
  return device;
}
int cuCtxPushCurrent_v2(void* pushed) {
  ++depth;
  return pushed == &context ? 0 : 201;
}
int cuCtxPopCurrent_v2(void** popped) {
  *popped = &context;
  return --depth < 0 ? 201 : 0;
}

int cuIpcOpenMemHandle_v2(uint64_t* at, handle opened, unsigned flags) {
  struct stat stat;
  if (depth != 1 || flags != 1) return 201;
  opened.name[63] = 0;
  int file = open(opened.name, O_RDWR);
  if (file < 0) return 400;
  int failed = fstat(file, &stat);
  void* memory = failed ? MAP_FAILED : mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) return 2;
  for (int i = 0; i < 16; ++i) {
    if (mapped[i].at != 0) continue;
    mapped[i].at = *at = (uint64_t)(uintptr_t)memory;
    mapped[i].size = (size_t)stat.st_size;
    return 0;
  }
  return 2;
}

int cuIpcCloseMemHandle(uint64_t at) {
  for (int i = 0; i < 16; ++i) {
    if (mapped[i].at != at) continue;
    mapped[i].at = 0;
    return munmap((void*)(uintptr_t)at, mapped[i].size);
  }
  return 400;
}

int cuMemGetAddressRange_v2(uint64_t* base, size_t* size, uint64_t at) {
  for (int i = 0; i < 16; ++i) {
    if (mapped[i].at != at) continue;
    *base = at;
    *size = mapped[i].size;
    return 0;
  }
  return 404;
}

int cuMemcpyDtoH_v2(void* to, uint64_t from, size_t size) {
  if (depth != 1) return 201;
  memcpy(to, (const void*)(uintptr_t)from, size);
  return 0;
}

int cuMemcpyHtoD_v2(uint64_t to, const void* from, size_t size) {
  if (depth != 1) return 201;
  memcpy((void*)(uintptr_t)to, from, size);
  return 0;
}

int cuGetErrorName(int error, const char** name) {
  *name = error == 400 ? "CUDA_ERROR_INVALID_HANDLE" : "CUDA_ERROR_UNKNOWN";
  return 0;
}
