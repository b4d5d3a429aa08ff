#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace modelmill {

/// What traces have, as bits.
enum TraceLevel : uint8_t { kTraceOff = 0, kTraceTimestamps = 1, kTraceTensors = 2 };

/// Which requests are traced and what of them, by Triton's names and with its defaults.
struct TraceSettings {
  uint8_t level = kTraceOff;
  uint32_t rate = 1000;        // one of so many requests
  int32_t count = -1;          // that are still to be traced; below 0: any number
  uint32_t log_frequency = 0;  // traces of a numbered file; 0: all in one file

  bool operator==(const TraceSettings&) const = default;
};

/// One setting of a change: it stays, is what is above it again, or gets a value.
template <typename T>
class TraceChangeOf {
 public:
  void clear() { cleared_ = true; }
  void set(T value) { value_ = value; }

  bool cleared() const { return cleared_; }
  const std::optional<T>& value() const { return value_; }

 private:
  bool cleared_ = false;
  std::optional<T> value_;
};

struct TraceChange {
  TraceChangeOf<uint8_t> level;
  TraceChangeOf<uint32_t> rate;
  TraceChangeOf<int32_t> count;
  TraceChangeOf<uint32_t> log_frequency;
};

}  // namespace modelmill
