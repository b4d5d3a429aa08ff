#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "request/batch_cut.h"
#include "tensor/tensor.h"

namespace modelmill {

/// Writes the entries of one trace as the members of Triton's JSON array of them, with commas between them.
class TraceText {
 public:
  /// `request_id` empty: the request has none.
  TraceText(uint64_t id, std::string_view model, int64_t version, std::string_view request_id);

  /// One point in time; one that never came is left out. Of that at which a batch began the batch is told too, in
  /// members that are no part of Triton's: its readers look for a name and a time, and let the others be.
  void timestamp(std::string_view name, TimePoint at, const BatchCut& batch = {});
  /// A tensor that was seen at this `activity`, with all its elements.
  void tensor(std::string_view activity, const Tensor& tensor);

  std::string take() { return std::move(text_); }

 private:
  const uint64_t id_;
  std::string text_;
};

}  // namespace modelmill
