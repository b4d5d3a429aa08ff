#include "dialect/kserve_v2/shared_tensors.h"

#include <utility>

namespace modelmill::kserve_v2 {
namespace {

constexpr std::string_view kRegion = "shared_memory_region";
constexpr std::string_view kOffset = "shared_memory_offset";
constexpr std::string_view kSize = "shared_memory_byte_size";

bool read_number(const ParameterValue* value, uint64_t& number) {
  if (const auto* unsigned_value = value != nullptr ? std::get_if<uint64_t>(value) : nullptr) {
    number = *unsigned_value;
    return true;
  }
  const auto* signed_value = value != nullptr ? std::get_if<int64_t>(value) : nullptr;
  if (signed_value == nullptr || *signed_value < 0) return false;
  number = static_cast<uint64_t>(*signed_value);
  return true;
}

Status alone(std::string_view name, std::string_view tensor) {
  return invalid_argument("'" + std::string(name) + "' can not be specified without 'shared_memory_region' parameter " +
                          "for tensor '" + std::string(tensor) + "'");
}

}  // namespace

Status SharedTensors::add_input(size_t place, const std::string& region, uint64_t offset, uint64_t size) {
  MM_ASSIGN_OR_RETURN(SharedSlice slice, find(region, offset, size));
  MM_RETURN_IF_ERROR(regions_->check_request(input_bytes_, size));
  input_bytes_ += size;
  inputs_.emplace_back(place, std::move(slice));
  return ok_status();
}

Status SharedTensors::add_output(std::string output, const std::string& region, uint64_t offset, uint64_t size) {
  MM_ASSIGN_OR_RETURN(SharedSlice slice, find(region, offset, size));
  outputs_.emplace_back(std::move(output), std::move(slice));
  return ok_status();
}

Result<SharedSlice> SharedTensors::find(const std::string& region, uint64_t offset, uint64_t size) const {
  static const SharedRegions kNone({}, 0);
  return (regions_ != nullptr ? *regions_ : kNone).find(region, offset, size);
}

const SharedSlice* SharedTensors::find_output(std::string_view name) const {
  for (const auto& [output, slice] : outputs_)
    if (output == name) return &slice;
  return nullptr;
}

Status SharedTensors::read_inputs(InferRequest& request) const {
  for (const auto& [place, slice] : inputs_) {
    MM_ASSIGN_OR_RETURN(Bytes bytes, slice.read());
    request.inputs[place].data.push_back(std::move(bytes));
  }
  return ok_status();
}

Status SharedTensors::write_outputs(InferResponse& response) const {
  if (outputs_.empty()) return ok_status();
  for (Tensor& tensor : response.outputs) {
    const SharedSlice* slice = find_output(tensor.name);
    if (slice == nullptr) continue;
    const size_t size = tensor.byte_size();
    if (size > slice->size)
      return internal("shared memory size specified with the request for output '" + tensor.name + "' (" +
                      std::to_string(slice->size) + " bytes) should be at least " + std::to_string(size) +
                      " bytes to hold the results");
    MM_RETURN_IF_ERROR(slice->write(tensor.data));
    tensor.data.clear();
  }
  return ok_status();
}

bool SharedParameters::knows(std::string_view name) { return name == kRegion || name == kOffset || name == kSize; }

void SharedParameters::set(std::string_view name, const ParameterValue* value) {
  if (name == kRegion) {
    has_region_ = true;
    const auto* text = value != nullptr ? std::get_if<std::string>(value) : nullptr;
    if (text != nullptr)
      region_ = *text;
    else if (wrong_.empty())
      wrong_ = kRegion;
    return;
  }
  const bool is_offset = name == kOffset;
  (is_offset ? has_offset_ : has_size_) = true;
  if (!read_number(value, is_offset ? offset_ : size_) && wrong_.empty()) wrong_ = is_offset ? kOffset : kSize;
}

Status SharedParameters::check(std::string_view tensor) const {
  if (!has_region_ && has_offset_) return alone(kOffset, tensor);
  if (!has_region_ && has_size_) return alone(kSize, tensor);
  if (!wrong_.empty())
    return invalid_argument("invalid value type for '" + std::string(wrong_) + "' parameter for tensor '" +
                            std::string(tensor) + "', expected " +
                            (wrong_ == kRegion ? "string_param." : "int64_param that is not negative."));
  if (has_region_ && !has_size_)
    return invalid_argument(
        "'shared_memory_byte_size' must be specified along with 'shared_memory_region' parameter for tensor '" +
        std::string(tensor) + "'");
  return ok_status();
}

}  // namespace modelmill::kserve_v2
