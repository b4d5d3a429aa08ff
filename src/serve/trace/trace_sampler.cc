#include "serve/trace/trace_sampler.h"

#include <utility>

namespace modelmill {
namespace {

/// Traces of the one file are written whenever so much has come together.
constexpr size_t kWriteBytes = 64 * 1024;
/// A numbered file is ended by so much, whatever the number of traces that it was to have.
constexpr size_t kMostBytes = size_t{16} << 20;

}  // namespace

TraceSampler::~TraceSampler() {
  if (text_.empty()) return;
  if (settings_.log_frequency != 0)
    file_->add_numbered(std::move(text_));
  else
    file_->add(std::move(text_));
}

TraceSettings TraceSampler::settings() const {
  TraceSettings settings = settings_;
  const MutexLock lock(mutex_);
  settings.count = count_;
  return settings;
}

bool TraceSampler::sample() {
  if (settings_.level == kTraceOff || settings_.rate == 0) return false;
  const MutexLock lock(mutex_);
  if (count_ == 0 || ++seen_ % settings_.rate != 0) return false;
  if (count_ > 0) --count_;
  ++sampled_;
  return true;
}

void TraceSampler::collect(const std::string& entries) {
  const MutexLock lock(mutex_);
  ++collected_;
  if (!text_.empty()) text_ += ',';
  text_ += entries;
  ++kept_;
  const bool last = count_ == 0 && collected_ == sampled_;
  const bool full = settings_.log_frequency != 0 && (kept_ >= settings_.log_frequency || text_.size() >= kMostBytes);
  if (!last && !full && (settings_.log_frequency != 0 || text_.size() < kWriteBytes)) return;
  kept_ = 0;
  if (last || full)
    file_->add_numbered(std::exchange(text_, {}));
  else
    file_->add(std::exchange(text_, {}));
}

}  // namespace modelmill
