#include "line_log.h"

#include <unistd.h>

#include <array>
#include <cerrno>

namespace modelmill::python {
namespace {

constexpr size_t kLongestLine = 4096;

}  // namespace

bool LineLog::read(int fd) {
  std::array<char, 16384> buffer;
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  take({buffer.data(), static_cast<size_t>(got)});
  return true;
}

void LineLog::take(std::string_view text) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    line_ += text.substr(0, end);
    if (end != std::string_view::npos || line_.size() >= kLongestLine) finish();
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
}

void LineLog::finish() {
  if (!line_.empty() && line_.back() == '\r') line_.pop_back();
  if (!line_.empty()) backend::log(model_, level_, line_);
  line_.clear();
}

}  // namespace modelmill::python
