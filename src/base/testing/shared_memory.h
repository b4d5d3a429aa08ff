#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>

namespace modelmill::testing {

/// A shared memory object as a client has it: mapped, and gone with this. For tests.
class ClientMemory {
 public:
  explicit ClientMemory(size_t size) : size_(size) {
    static std::atomic<int> count{0};
    key_ = "/modelmill_test_" + std::to_string(::getpid()) + "_" + std::to_string(++count);
    fd_ = ::shm_open(key_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd_ >= 0 && ::ftruncate(fd_, static_cast<off_t>(size)) == 0)
      data_ = static_cast<char*>(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
  }
  ~ClientMemory() {
    ::munmap(data_, size_);
    ::close(fd_);
    ::shm_unlink(key_.c_str());
  }
  ClientMemory(const ClientMemory&) = delete;
  ClientMemory& operator=(const ClientMemory&) = delete;

  const std::string& key() const { return key_; }
  char* data() { return data_; }
  std::string_view view(size_t offset, size_t length) const { return {data_ + offset, length}; }
  /// The mapping stays as it was: what lies behind the new end is not to be touched any more.
  bool resize(size_t size) { return ::ftruncate(fd_, static_cast<off_t>(size)) == 0; }
  size_t file_size() const { return static_cast<size_t>(::lseek(fd_, 0, SEEK_END)); }

 private:
  size_t size_;
  std::string key_;
  int fd_ = -1;
  char* data_ = nullptr;
};

}  // namespace modelmill::testing
