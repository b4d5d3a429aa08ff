#include "call_details.h"

#include "json_text.h"

namespace modelmill::python {
namespace {

constexpr int64_t kMostMicroseconds = INT64_MAX / 1000;

uint64_t number_of(const backend::Json& json, const char* what) {
  if (json.is_null()) return 0;
  const backend::ParameterValue value = parameter_value(json);
  if (const auto* number = std::get_if<int64_t>(&value); number != nullptr && *number >= 0)
    return static_cast<uint64_t>(*number);
  if (const auto* number = std::get_if<uint64_t>(&value)) return *number;
  throw backend::Error(MM_INVALID_ARGUMENT, std::string("the ") + what + " of the call is " + json_text(json) +
                                                "; it must be a whole number from 0 on");
}

}  // namespace

CallDetails::Text CallDetails::text_of(const backend::Json& json) { return {!json.is_null(), json.text()}; }

CallDetails::CallDetails(std::string_view text) {
  if (text.empty()) return;
  const auto json = backend::Json::parse(text);
  id_ = text_of(json["id"]);
  traceparent_ = text_of(json["traceparent"]);
  for (const backend::Json& output : json["outputs"].items()) outputs_.push_back(output.text());
  for (const std::string& output : outputs_) output_names_.push_back(output.c_str());
  for (const auto& [name, value] : json["parameters"].members()) {
    names_.push_back(name);
    values_.push_back(parameter_value(value));
  }
  for (size_t i = 0; i < names_.size(); ++i)
    parameters_.push_back(backend::parameter_of(names_[i].c_str(), values_[i]));
  priority_ = number_of(json["priority"], "priority");
  const uint64_t timeout = number_of(json["timeout_us"], "timeout");
  timeout_us_ = static_cast<int64_t>(std::min<uint64_t>(timeout, kMostMicroseconds));
  if (json["sequence"].kind() == backend::Json::Kind::kString)
    sequence_ = text_of(json["sequence"]);
  else
    sequence_number_ = number_of(json["sequence"], "correlation id");
  sequence_flags_ = static_cast<uint32_t>(number_of(json["flags"], "flags")) & (MM_SEQUENCE_START | MM_SEQUENCE_END);
  if (json["one"].boolean()) flags_ |= MM_CALL_ONE_ANSWER;
  may_cancel_ = json["cancel"].boolean();
}

void CallDetails::put_into(mm_call_model_args& args) const {
  args.id = id_.pointer();
  args.requested_outputs = output_names_.data();
  args.requested_output_count = static_cast<uint32_t>(output_names_.size());
  args.parameters = parameters_.data();
  args.parameter_count = static_cast<uint32_t>(parameters_.size());
  args.priority = priority_;
  args.queue_timeout_ns = timeout_us_ * 1000;
  args.sequence_number = sequence_number_;
  args.sequence_text = sequence_.pointer();
  args.sequence_flags = sequence_flags_;
  args.traceparent = traceparent_.pointer();
  args.flags = flags_;
}

}  // namespace modelmill::python
