#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "runtime/trace_context.h"

namespace modelmill {

/// The types of values that attributes have here.
using AttributeValue = std::variant<bool, int64_t, double, std::string>;
using Attributes = std::vector<std::pair<std::string, AttributeValue>>;

/// What a text in a span may have: it may be a stranger's.
inline constexpr size_t kMostAttributeBytes = 4'096;

/// What a span keeps of a text: nothing beyond kMostAttributeBytes.
std::string short_text(std::string_view text);

/// A point in time of a span.
struct SpanEvent {
  const char* name;
  TimePoint at;
};

/// One of OpenTelemetry's spans that is over. A value. Who waits to be sent may not fill the memory, so texts come in
/// short.
struct Span {
  enum class Kind : uint8_t { kInternal, kServer };

  TraceId trace_id{};
  SpanId id{};
  SpanId parent{};                // all zeros: it is the first of its trace
  bool parent_is_remote = false;  // the parent is a span of another process
  Kind kind = Kind::kInternal;
  std::string name;
  TimePoint start{}, end{};
  Attributes attributes;
  std::vector<SpanEvent> events;
  Status status;  // what went wrong

  template <typename Value>
  void set(std::string_view key, const Value& value) {
    if constexpr (std::is_convertible_v<const Value&, std::string_view>)
      attributes.emplace_back(key, short_text(value));
    else
      attributes.emplace_back(key, AttributeValue(value));
  }
  void set_status(const Status& of);
  /// One that never came is left out.
  void add_event(const char* event, TimePoint at) {
    if (at != TimePoint{}) events.push_back({event, at});
  }
};

/// Random, of the thread's own sequence, and never all zeros.
TraceId make_trace_id();
SpanId make_span_id();

}  // namespace modelmill
