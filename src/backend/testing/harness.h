#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend_registry.h"
#include "backend/testing/collected.h"

namespace modelmill::testing {

inline Tensor floats(const std::string& name, const std::vector<float>& values, Shape shape = {}) {
  Tensor tensor;
  tensor.name = name;
  tensor.dtype = DataType::kFp32;
  tensor.shape = shape.empty() ? Shape{static_cast<int64_t>(values.size())} : shape;
  tensor.data.push_back(Bytes::copy_of({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)}));
  return tensor;
}

inline Tensor strings(const std::string& name, const std::vector<std::string>& values) {
  std::string encoded;
  for (const std::string& value : values) {
    const auto length = static_cast<uint32_t>(value.size());
    encoded.append(reinterpret_cast<const char*>(&length), sizeof length);
    encoded += value;
  }
  Tensor tensor;
  tensor.name = name;
  tensor.dtype = DataType::kBytes;
  tensor.shape = {static_cast<int64_t>(values.size())};
  tensor.data.push_back(Bytes::copy_of(encoded));
  return tensor;
}

inline std::vector<float> as_floats(const Tensor& tensor) {
  const Bytes bytes = tensor.contiguous();
  std::vector<float> out(bytes.size() / sizeof(float));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
  return out;
}

/// A request and where its answers go.
struct Asked {
  std::shared_ptr<Collected> sink = std::make_shared<Collected>();
  InferRequestPtr request = std::make_unique<InferRequest>(sink);

  explicit Asked(std::vector<Tensor> inputs = {floats("x", {1, 2, 3})}) {
    for (Tensor& input : inputs) request->inputs.push_back(std::move(input));
  }
};

/// Runs the requests as one execution and waits until the instance is free again.
inline ExecutionResult run(BackendInstance& instance, std::vector<Asked*> asked) {
  std::vector<InferRequestPtr> requests;
  for (Asked* a : asked) requests.push_back(std::move(a->request));
  std::promise<ExecutionResult> done;
  instance.execute(std::move(requests), [&](const ExecutionResult& result) { done.set_value(result); });
  return done.get_future().get();
}

inline std::unique_ptr<BackendInstance> instance_of(BackendModel& model) {
  auto instance = model.create_instance("m_0_0", InstanceGroup::Kind::kCpu, 0);
  EXPECT_TRUE(instance.ok()) << instance.status().to_string();
  return std::move(instance).value();
}

}  // namespace modelmill::testing
