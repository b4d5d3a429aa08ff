#include "server/malloc_tuning.h"

#include <malloc.h>

namespace modelmill {

void tune_malloc() {
#if defined(__GLIBC__)
  // By default glibc maps every block above 128 KB afresh and gives it back when it is freed, so each request with a
  // large tensor pays for page faults and zeroed pages: a third of the throughput at 1 MB tensors. Keep such blocks in
  // the heap (32 MB is the most that glibc takes), and give memory back only when 64 MB are free at a heap's end.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
  // Every arena may keep that much. glibc would make up to 8 for each core, and memory would grow with the threads that
  // happened to allocate; a handful keeps loops and instances apart well enough.
  mallopt(M_ARENA_MAX, 4);
#endif
}

void give_back_memory() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

}  // namespace modelmill
