#include "dialect/kserve_v2/infer_request_codec.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>
#include <utility>

#include "dialect/kserve_v2/request_parameters.h"
#include "dialect/kserve_v2/typed_contents.h"
#include "dialect/proto_wire.h"
#include "dialect/version_text.h"

namespace modelmill::kserve_v2 {
namespace {

/// Where an input's bytes come from, if not from the raw contents.
struct Source {
  std::optional<std::string_view> contents;
  bool shared = false;
};
using Sources = boost::container::small_vector<Source, 2>;

Status garbage(std::string_view what) {
  return invalid_argument("the request is no valid ModelInferRequest: its " + std::string(what) +
                          " does not parse as a protobuf message");
}

/// One entry of a map<string, InferParameter>. `value` stays empty when the entry has none.
struct Entry {
  std::string_view name;
  std::optional<ParameterValue> value;
};

bool parse_parameter(std::string_view message, std::optional<ParameterValue>& value) {
  ProtoReader reader(message);
  while (reader.next()) {
    if (reader.is(1, WireType::kVarint)) value = reader.value() != 0;
    if (reader.is(2, WireType::kVarint)) value = static_cast<int64_t>(reader.value());
    if (reader.is(3, WireType::kBytes)) value = std::string(reader.bytes());
    if (reader.is(4, WireType::kFixed64)) value = std::bit_cast<double>(reader.value());
    if (reader.is(5, WireType::kVarint)) value = reader.value();
  }
  return reader.ok();
}

bool parse_entry(std::string_view message, Entry& entry) {
  ProtoReader reader(message);
  while (reader.next()) {
    if (reader.is(1, WireType::kBytes)) entry.name = reader.bytes();
    if (reader.is(2, WireType::kBytes) && !parse_parameter(reader.bytes(), entry.value)) return false;
  }
  return reader.ok();
}

bool parse_shape(const ProtoReader& reader, Shape& shape) {
  if (reader.type() == WireType::kVarint) {
    shape.push_back(static_cast<int64_t>(reader.value()));
    return true;
  }
  PackedVarints packed(reader.bytes());
  uint64_t size = 0;
  while (packed.next(size)) shape.push_back(static_cast<int64_t>(size));
  return packed.ok();
}

Status parse_input(std::string_view message, InferRequest& request, Source& source, SharedTensors& shared,
                   OpenRequest& open) {
  Tensor& tensor = request.inputs.emplace_back();
  ProtoReader reader(message);
  std::string_view dtype;
  SharedParameters place;
  OpenRequest::Members members;
  while (reader.next()) {
    if (reader.is(1, WireType::kBytes)) {
      tensor.name = reader.bytes();
    } else if (reader.is(2, WireType::kBytes)) {
      dtype = reader.bytes();
    } else if (reader.field() == 3 && (reader.type() == WireType::kVarint || reader.type() == WireType::kBytes)) {
      if (!parse_shape(reader, tensor.shape)) return garbage("shape");
    } else if (reader.is(4, WireType::kBytes)) {
      Entry entry;
      if (!parse_entry(reader.bytes(), entry)) return garbage("parameters");
      if (SharedParameters::knows(entry.name)) place.set(entry.name, entry.value ? &*entry.value : nullptr);
      if (entry.value) members.add(entry.name, *entry.value);
    } else if (reader.is(5, WireType::kBytes)) {
      if (source.contents) return garbage("contents");  // one message written in two parts: nobody does
      source.contents = reader.bytes();
    }
  }
  if (!reader.ok()) return garbage("inputs");
  if (tensor.shape.size() > kMaxRank) {
    return invalid_argument("input '" + tensor.name + "' has " + std::to_string(tensor.shape.size()) +
                            " dimensions; at most " + std::to_string(kMaxRank) + " are accepted");
  }
  const auto parsed = parse_dtype(dtype);
  if (!parsed) {
    return invalid_argument("input '" + tensor.name + "' has the datatype '" + std::string(dtype) +
                            "', which is none of the protocol's (FP32, INT64, BYTES, ...)");
  }
  tensor.dtype = *parsed;
  open.add_input(tensor.name, std::move(members));
  MM_RETURN_IF_ERROR(place.check(tensor.name));
  if (!place.given()) return ok_status();
  if (source.contents)
    return invalid_argument("unexpected 'content' provided when using shared memory for input tensor '" + tensor.name +
                            "' for model '" + request.model + "'");
  source.shared = true;
  return shared.add_input(request.inputs.size() - 1, place.region(), place.offset(), place.size());
}

Status parse_output(std::string_view message, RequestedOutput& output, SharedTensors& shared, OpenRequest& open) {
  ProtoReader reader(message);
  SharedParameters place;
  OpenRequest::Members members;
  while (reader.next()) {
    if (reader.is(1, WireType::kBytes)) {
      output.name = reader.bytes();
    } else if (reader.is(2, WireType::kBytes)) {
      Entry entry;
      if (!parse_entry(reader.bytes(), entry)) return garbage("parameters");
      if (SharedParameters::knows(entry.name)) place.set(entry.name, entry.value ? &*entry.value : nullptr);
      if (entry.value) members.add(entry.name, *entry.value);
      if (entry.name != "classification") continue;
      const auto* count = entry.value ? std::get_if<int64_t>(&*entry.value) : nullptr;
      if (count == nullptr) {
        return invalid_argument("invalid value type for 'classification' parameter, expected int64_param");
      }
      if (*count <= 0) return invalid_argument("invalid value for 'classification' parameter, expected > 0");
      output.classes = static_cast<uint32_t>(std::min<int64_t>(*count, UINT32_MAX));
    }
  }
  if (!reader.ok()) return garbage("outputs");
  open.add_output(output.name, std::move(members));
  MM_RETURN_IF_ERROR(place.check(output.name));
  if (!place.given()) return ok_status();
  if (output.classes != 0) return invalid_argument("output can't set both 'shared_memory_region' and 'classification'");
  return shared.add_output(output.name, place.region(), place.offset(), place.size());
}

Status apply_parameter(std::string_view message, InferRequest& request, InferOptions& options) {
  Entry entry;
  if (!parse_entry(message, entry)) return garbage("parameters");
  if (entry.name == "triton_enable_empty_final_response") {
    const bool* flag = entry.value ? std::get_if<bool>(&*entry.value) : nullptr;
    if (flag == nullptr) {
      return invalid_argument(
          "invalid value type for 'triton_enable_empty_final_response' parameter, expected bool_param.");
    }
    options.empty_final_response = *flag;
    return ok_status();
  }
  if (!entry.value) {
    return invalid_argument("invalid value type for '" + std::string(entry.name) +
                            "' parameter, expected int64_param, bool_param, or string_param.");
  }
  return apply_request_parameter(std::string(entry.name), std::move(*entry.value), request);
}

/// Gives each input its bytes: its own contents, or the next of the raw ones. What lies in shared memory is read later.
Status attach_data(InferRequest& request, const Sources& sources, boost::container::small_vector<Bytes, 2>& raw) {
  size_t next_raw = 0;
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    Tensor& tensor = request.inputs[i];
    if (sources[i].shared) continue;
    if (sources[i].contents) {
      if (!raw.empty()) {
        return invalid_argument("contents field must not be specified when using raw_input_contents for '" +
                                tensor.name + "' for model '" + request.model + "'");
      }
      MM_ASSIGN_OR_RETURN(Bytes bytes, decode_typed_contents(*sources[i].contents, tensor, request.model));
      tensor.data.push_back(std::move(bytes));
    } else if (next_raw < raw.size()) {
      tensor.data.push_back(std::move(raw[next_raw++]));
    } else {
      return invalid_argument("unable to find data for input tensor '" + tensor.name + "' for model '" + request.model +
                              "' in request.");
    }
  }
  if (next_raw == raw.size()) return ok_status();
  return invalid_argument("unexpected additional input data for model '" + request.model +
                          "': " + std::to_string(raw.size()) + " raw_input_contents for " +
                          std::to_string(std::count_if(sources.begin(), sources.end(),
                                                       [](const Source& source) { return !source.shared; })) +
                          " inputs");
}

}  // namespace

Status parse_infer_request(std::string_view fields, boost::container::small_vector<Bytes, 2>& raw,
                           InferRequest& request, InferOptions& options, SharedTensors& shared) {
  Sources sources;
  std::string_view version;
  Status problem;  // the first one; reading goes on for the id that the error is to carry
  const auto note = [&](Status status) {
    if (problem.ok() && !status.ok()) problem = std::move(status);
  };
  ProtoReader reader(fields);
  while (reader.next()) {
    if (reader.type() != WireType::kBytes) continue;
    switch (reader.field()) {
      case 1: request.model = reader.bytes(); break;
      case 2: version = reader.bytes(); break;
      case 3: request.id = reader.bytes(); break;
      case 4: note(apply_parameter(reader.bytes(), request, options)); break;
      case 5: note(parse_input(reader.bytes(), request, sources.emplace_back(), shared, options.open)); break;
      case 6: note(parse_output(reader.bytes(), request.outputs.emplace_back(), shared, options.open)); break;
      default: break;
    }
  }
  if (!reader.ok()) return garbage("body");
  MM_RETURN_IF_ERROR(problem);
  if (is_version_number(version)) {
    MM_ASSIGN_OR_RETURN(request.version, parse_version(request.model, version));
  } else {
    request.label = version;
  }
  return attach_data(request, sources, raw);
}

}  // namespace modelmill::kserve_v2
