#include "wire/zero_page.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace modelmill::wire {
namespace {

/// Addresses for so many pages are set aside at once; who comes later does without.
constexpr size_t kPages = size_t{64} << 10;
/// So many are made usable together.
constexpr size_t kStep = 256;
/// Of those given back so many keep their memory for the next.
constexpr size_t kKept = 64;

/// All pages there are. They are handed out one by one: connections come and go far less often than requests.
class Room {
 public:
  static Room& instance() {
    static Room* const room = new Room();  // never destroyed: threads may give pages back until the process ends
    return *room;
  }

  bool holds(const void* block) const {
    const uintptr_t base = base_.load(std::memory_order_relaxed);
    return base != 0 && reinterpret_cast<uintptr_t>(block) - base < kPages * ZeroPage::kSize;
  }

  void* take() {
    MutexLock lock(mutex_);
    if (!dirty_.empty()) {
      void* page = dirty_.back();
      dirty_.pop_back();
      std::memset(page, 0, ZeroPage::kSize);
      return page;
    }
    if (clean_.empty() && !grow()) return nullptr;
    void* page = clean_.back();
    clean_.pop_back();
    return page;
  }

  void give_back(void* page) {
    MutexLock lock(mutex_);
    if (dirty_.size() < kKept || ::madvise(page, ZeroPage::kSize, MADV_DONTNEED) != 0)
      dirty_.push_back(page);
    else
      clean_.push_back(page);
  }

 private:
  bool grow() MM_REQUIRES(mutex_) {
    if (failed_) return false;
    uintptr_t base = base_.load(std::memory_order_relaxed);
    if (base == 0) {
      failed_ = ::sysconf(_SC_PAGESIZE) != static_cast<long>(ZeroPage::kSize);
      void* room = failed_ ? MAP_FAILED
                           : ::mmap(nullptr, kPages * ZeroPage::kSize, PROT_NONE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (room == MAP_FAILED) return !(failed_ = true);
      // Of a huge page no part could be given back.
      ::madvise(room, kPages * ZeroPage::kSize, MADV_NOHUGEPAGE);
      base = reinterpret_cast<uintptr_t>(room);
      base_.store(base, std::memory_order_relaxed);
    }
    if (usable_ == kPages) return false;
    auto* first = reinterpret_cast<std::byte*>(base) + usable_ * ZeroPage::kSize;
    if (::mprotect(first, kStep * ZeroPage::kSize, PROT_READ | PROT_WRITE) != 0) return !(failed_ = true);
    usable_ += kStep;
    for (size_t i = kStep; i-- > 0;) clean_.push_back(first + i * ZeroPage::kSize);
    return true;
  }

  Mutex mutex_;
  std::atomic<uintptr_t> base_{0};
  size_t usable_ MM_GUARDED_BY(mutex_) = 0;
  bool failed_ MM_GUARDED_BY(mutex_) = false;
  std::vector<void*> clean_ MM_GUARDED_BY(mutex_);  // zeros without memory
  std::vector<void*> dirty_ MM_GUARDED_BY(mutex_);
};

bool all_zero(const void* page) {
  const auto* bytes = static_cast<const std::byte*>(page);
  return bytes[0] == std::byte{0} && std::memcmp(bytes, bytes + 1, ZeroPage::kSize - 1) == 0;
}

}  // namespace

void* ZeroPage::take() {
  release();
  page_ = Room::instance().take();
  return page_;
}

void ZeroPage::release() {
  if (page_ != nullptr) Room::instance().give_back(std::exchange(page_, nullptr));
}

void ZeroPage::rest() {
  if (page_ != nullptr && all_zero(page_)) ::madvise(page_, kSize, MADV_DONTNEED);
}

bool ZeroPage::holds(const void* block) { return Room::instance().holds(block); }

}  // namespace modelmill::wire
