#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/testing/temp_folder.h"
#include "lifecycle/testing/fake_backend.h"
#include "lifecycle/version_loader.h"
#include "repository/model_files.h"

namespace modelmill {

/// y[row] = the sum of the row of x, a [N, 2] of floats.
inline Result<TensorList> sum_rows(const TensorList& inputs) {
  const std::vector<float> x = floats_of(inputs[0]);
  std::vector<float> y;
  for (size_t i = 0; i + 2 <= x.size(); i += 2) y.push_back(x[i] + x[i + 1]);
  const int64_t rows = static_cast<int64_t>(y.size());
  return TensorList{fake_floats("y", {rows}, y)};
}

inline BackendModelInfo row_info() {
  BackendModelInfo info;
  info.signature.inputs = {{"x", DataType::kFp32, {-1, 2}, {"N", ""}, false}};
  info.signature.outputs = {{"y", DataType::kFp32, {-1}, {"N"}, false}};
  info.platform = "onnxruntime_onnx";
  info.recommended_instances = 3;
  return info;
}

/// Loads the one model of a folder on a fake backend.
class VersionLoaderTest : public ::testing::Test {
 protected:
  VersionLoaderTest() {
    backends_.models["m"] = {row_info(), sum_rows};
    folder_.write("m/1/model.onnx");
    settings_.cores = 2;
  }

  Result<LoadedVersion> load(const std::string& config) {
    if (!config.empty()) folder_.write("m/config.pbtxt", config);
    found_ = find_models({folder_ / "m"}, formats_of(source_))->models.front();
    auto definition = read_definition(found_);
    if (!definition.ok()) return definition.status();
    return load_version(found_, found_.versions.front(), *definition, formats_of(source_), source_, settings_);
  }

  std::string error(const std::string& config) {
    const auto loaded = load(config);
    return loaded.ok() ? "no error" : loaded.status().message();
  }

  BackendModelInfo& info() { return backends_.models["m"].info; }

  const TempFolder folder_;
  FakeBackends backends_;
  BackendSource source_ = backends_.source();
  LoadSettings settings_;
  FoundModel found_;
};

}  // namespace modelmill
