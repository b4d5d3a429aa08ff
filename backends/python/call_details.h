#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "modelmill/backend.hpp"

namespace modelmill::python {

/// What a worker says of a call beside its inputs, kept for as long as the call is being made.
class CallDetails {
 public:
  /// A JSON object with any of id, outputs, parameters, priority, timeout_us, sequence, flags, traceparent, one
  /// (answer) and cancel (it may be cancelled); or nothing. Throws backend::Error for what it can't be.
  explicit CallDetails(std::string_view json);

  /// The arguments point into this.
  void put_into(mm_call_model_args& args) const;
  bool may_cancel() const { return may_cancel_; }

 private:
  struct Text {
    bool given = false;
    std::string value;
    const char* pointer() const { return given ? value.c_str() : nullptr; }
  };
  static Text text_of(const backend::Json& json);

  Text id_, traceparent_, sequence_;
  std::vector<std::string> outputs_, names_;
  std::vector<const char*> output_names_;
  std::vector<backend::ParameterValue> values_;
  std::vector<mm_parameter> parameters_;
  uint64_t priority_ = 0, sequence_number_ = 0;
  int64_t timeout_us_ = 0;
  uint32_t sequence_flags_ = 0, flags_ = 0;
  bool may_cancel_ = false;
};

}  // namespace modelmill::python
