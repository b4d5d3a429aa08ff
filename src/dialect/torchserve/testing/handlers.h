#pragma once

#include <cstdint>
#include <string>

#include "dialect/testing/fakes.h"
#include "serve/testing/fake_version.h"

namespace modelmill::testing {

/// A handler of TorchServe's.
inline ModelVersion::Description handler(const std::string& name) {
  auto d = simple_description(name);
  d.definition.backend = "python";
  d.signature.inputs = {{"data", DataType::kBytes, {-1}}};
  d.signature.outputs = {{"output", DataType::kBytes, {-1}}};
  return d;
}

/// A parameter that is a text; "-": there is none.
inline std::string text_parameter(const Parameters& parameters, const char* name) {
  const ParameterValue* value = parameters.find(name);
  return value == nullptr ? "-" : std::get<std::string>(*value);
}

/// What a handler answers.
inline InferResponse body_response(const std::string& body) {
  const auto length = static_cast<uint32_t>(body.size());
  InferResponse response;
  response.outputs.push_back({"output", DataType::kBytes, {1}, {}});
  response.outputs[0].data.push_back(
      Bytes::from_string(std::string(reinterpret_cast<const char*>(&length), sizeof length) + body));
  return response;
}

}  // namespace modelmill::testing
