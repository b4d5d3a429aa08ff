#pragma once

#include <cstdint>
#include <string>
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

/// A point in time of a span.
struct SpanEvent {
  const char* name;
  TimePoint at;
};

/// One of OpenTelemetry's spans that is over. A value.
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

  void set(const char* key, AttributeValue value) { attributes.emplace_back(key, std::move(value)); }
  /// One that never came is left out.
  void add_event(const char* event, TimePoint at) {
    if (at != TimePoint{}) events.push_back({event, at});
  }
};

/// Random, of the thread's own sequence, and never all zeros.
TraceId make_trace_id();
SpanId make_span_id();

}  // namespace modelmill
