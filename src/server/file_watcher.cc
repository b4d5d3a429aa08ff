#include "server/file_watcher.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace modelmill {

FileWatcher::FileWatcher(std::vector<std::string> files, Duration interval, std::function<Next()> changed)
    : files_(std::move(files)), changed_(std::move(changed)), interval_(interval), stamps_(files_.size()) {
  look();
}

FileWatcher::~FileWatcher() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  stop_asked_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void FileWatcher::start() {
  MM_CHECK(!thread_.joinable(), "a watcher starts once");
  thread_ = std::thread([this] { watch(); });
}

FileWatcher::Stamp FileWatcher::stamp_of(const std::string& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_size,
          int64_t{found.st_mtim.tv_sec} * 1'000'000'000 + found.st_mtim.tv_nsec};
}

bool FileWatcher::look() {
  bool any = false;
  for (size_t i = 0; i < files_.size(); ++i) {
    const Stamp now = stamp_of(files_[i]);
    any = any || now != stamps_[i];
    stamps_[i] = now;
  }
  return any;
}

bool FileWatcher::look_settled() {
  const bool had_changed = std::exchange(has_changed_, look());
  return had_changed && !has_changed_;
}

void FileWatcher::add(std::vector<std::string> files) {
  for (std::string& file : files) {
    if (std::find(files_.begin(), files_.end(), file) != files_.end()) continue;
    files_.push_back(std::move(file));
    stamps_.emplace_back();  // it may have changed since it was read
  }
}

void FileWatcher::watch() {
  for (bool again = false; true;) {
    {
      MutexLock lock(mutex_);
      const TimePoint until = Clock::now() + interval_;
      while (!stopping_ && stop_asked_.wait_until(mutex_, until) != std::cv_status::timeout) {
      }
      if (stopping_) return;
    }
    if (!look_settled() && !again) continue;
    Next next = changed_();
    add(std::move(next.also));
    again = next.again;
  }
}

}  // namespace modelmill
