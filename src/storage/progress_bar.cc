#include "storage/progress_bar.h"

#include <unistd.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <memory>

namespace modelmill {
namespace {

constexpr const char* kClearLine = "\r\x1b[K";
constexpr size_t kLongestUrl = 40;

std::string bytes_text(double bytes) {
  constexpr std::array<const char*, 5> kUnits{"B", "KB", "MB", "GB", "TB"};
  size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < kUnits.size(); ++unit) bytes /= 1000;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", bytes, kUnits[unit]);
  return text.data();
}

std::string time_text(double seconds) {
  const auto whole = static_cast<uint64_t>(std::llround(seconds));
  std::array<char, 32> text{};
  if (whole >= 3600)
    std::snprintf(text.data(), text.size(), "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
  else
    std::snprintf(text.data(), text.size(), "%lu:%02lu", whole / 60, whole % 60);
  return text.data();
}

/// The end of a URL says more than its beginning.
std::string short_url(const std::string& url) {
  return url.size() <= kLongestUrl ? url : "..." + url.substr(url.size() - kLongestUrl + 3);
}

}  // namespace

ProgressBar::ProgressBar(std::function<void(const std::string&)> write, const TimeSource& time)
    : write_(std::move(write)), time_(time) {}

void ProgressBar::show(const TransferProgress& progress) {
  const TimePoint now = time_.now();
  std::string line;
  {
    MutexLock lock(mutex_);
    if (url_.empty()) {
      url_ = progress.url;
      begin_ = now;
      first_bytes_ = progress.done_bytes;
    }
    if (url_ != progress.url) return;  // one at a time has the line
    line = kClearLine;
    if (progress.ended) {
      url_.clear();
    } else {
      line += short_url(progress.url) + "  " + bytes_text(static_cast<double>(progress.done_bytes));
      const double seconds = to_seconds(now - begin_);
      const double rate = seconds > 0 ? static_cast<double>(progress.done_bytes - first_bytes_) / seconds : 0;
      if (progress.total_bytes > 0) {
        line += " of " + bytes_text(static_cast<double>(progress.total_bytes)) + "  " +
                std::to_string(progress.done_bytes * 100 / progress.total_bytes) + "%";
      }
      if (rate > 0) line += "  " + bytes_text(rate) + "/s";
      if (rate > 0 && progress.total_bytes >= progress.done_bytes && progress.total_bytes > 0)
        line += "  " + time_text(static_cast<double>(progress.total_bytes - progress.done_bytes) / rate) + " left";
    }
  }
  write_(line);
}

ProgressCallback ProgressBar::for_stderr() {
  if (::isatty(2) == 0) return {};
  auto bar = std::make_shared<ProgressBar>(
      [](const std::string& text) {
        if (::write(2, text.data(), text.size()) < 0) return;  // a terminal that went away takes nothing more
      },
      TimeSource::steady());
  return [bar](const TransferProgress& progress) { bar->show(progress); };
}

}  // namespace modelmill
