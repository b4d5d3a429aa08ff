#include "otlp/export_message.h"

#include <algorithm>
#include <map>
#include <type_traits>
#include <variant>

#include "base/utf8.h"
#include "otlp_trace.pb.h"

namespace modelmill {
namespace {

constexpr uint32_t kParentIsKnown = 256;
constexpr uint32_t kParentIsRemote = 512;

std::string sent_text(std::string_view text) { return as_utf8(text, kMostAttributeBytes); }

template <typename Id>
std::string bytes_of(const Id& id) {
  return {reinterpret_cast<const char*>(id.data()), id.size()};
}

void put(const AttributeValue& value, otlp::AnyValue& out) {
  std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, bool>)
          out.set_bool_value(v);
        else if constexpr (std::is_same_v<T, int64_t>)
          out.set_int_value(v);
        else if constexpr (std::is_same_v<T, double>)
          out.set_double_value(v);
        else
          out.set_string_value(sent_text(v));
      },
      value);
}

uint64_t unix_ns(TimePoint at, std::chrono::nanoseconds epoch) {
  return static_cast<uint64_t>(to_ns(at) + epoch.count());
}

void put(const Span& span, std::chrono::nanoseconds epoch, otlp::Span& out) {
  out.set_trace_id(bytes_of(span.trace_id));
  out.set_span_id(bytes_of(span.id));
  if (span.parent != SpanId{}) {
    out.set_parent_span_id(bytes_of(span.parent));
    out.set_flags(kTraceSampled | kParentIsKnown | (span.parent_is_remote ? kParentIsRemote : 0));
  } else {
    out.set_flags(kTraceSampled | kParentIsKnown);
  }
  out.set_name(sent_text(span.name));
  out.set_kind(span.kind == Span::Kind::kServer ? otlp::Span::SPAN_KIND_SERVER : otlp::Span::SPAN_KIND_INTERNAL);
  out.set_start_time_unix_nano(unix_ns(span.start, epoch));
  out.set_end_time_unix_nano(unix_ns(std::max(span.start, span.end), epoch));
  for (const auto& [key, value] : span.attributes) {
    otlp::KeyValue& attribute = *out.add_attributes();
    attribute.set_key(key);
    put(value, *attribute.mutable_value());
  }
  for (const SpanEvent& event : span.events) {
    otlp::Span::Event& into = *out.add_events();
    into.set_name(event.name);
    into.set_time_unix_nano(unix_ns(event.at, epoch));
  }
  if (span.status.ok()) return;
  out.mutable_status()->set_code(otlp::Status::STATUS_CODE_ERROR);
  out.mutable_status()->set_message(sent_text(span.status.message()));
}

}  // namespace

std::string export_message(const ExportOptions& options, const std::vector<Span>& spans,
                           std::chrono::nanoseconds epoch) {
  otlp::ExportTraceServiceRequest request;
  otlp::ResourceSpans& all = *request.add_resource_spans();
  std::map<std::string_view, std::string_view> resource;
  for (const auto& [key, value] : options.resource) resource[key] = value;
  for (const auto& [key, value] : resource) {
    otlp::KeyValue& attribute = *all.mutable_resource()->add_attributes();
    attribute.set_key(sent_text(key));
    attribute.mutable_value()->set_string_value(sent_text(value));
  }
  otlp::ScopeSpans& scope = *all.add_scope_spans();
  scope.mutable_scope()->set_name(options.scope);
  scope.mutable_scope()->set_version(options.scope_version);
  for (const Span& span : spans) put(span, epoch, *scope.add_spans());
  return request.SerializeAsString();
}

std::chrono::nanoseconds monotonic_epoch() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(since_1970) -
         std::chrono::nanoseconds(to_ns(Clock::now()));
}

ExportReply read_export_reply(std::string_view body) {
  otlp::ExportTraceServiceResponse response;
  if (!response.ParseFromArray(body.data(), static_cast<int>(body.size()))) return {};
  const otlp::ExportTracePartialSuccess& partial = response.partial_success();
  return {std::max<int64_t>(0, partial.rejected_spans()), as_utf8(partial.error_message(), kMostAttributeBytes)};
}

}  // namespace modelmill
