#pragma once

#include <cstddef>

namespace modelmill::wire {

/// A page of memory for a block that is all zeros whenever its owner rests. The system need not keep such a page:
/// rest() gives its memory back, and it is zeros again when it is touched. For one thread at a time.
class ZeroPage {
 public:
  static constexpr size_t kSize = 4096;

  ZeroPage() = default;
  ~ZeroPage() { release(); }
  ZeroPage(const ZeroPage&) = delete;
  ZeroPage& operator=(const ZeroPage&) = delete;

  /// Takes a page; null when there is none to be had, for a system whose pages have another size as well.
  void* take();
  void* get() const { return page_; }
  /// Costs a system call, so it is for those who rest for long. Does nothing while the page holds anything.
  void rest();

  /// Whether `block` lies in a page that someone has taken.
  static bool holds(const void* block);

 private:
  void release();

  void* page_ = nullptr;
};

}  // namespace modelmill::wire
