#pragma once

#include <cstdint>
#include <string>

namespace modelmill::ov {

/// Where OpenVINO reads a model: a file, or the folder of a SavedModel.
class ModelSource {
 public:
  /// `file`: the model's, or a SavedModel's folder, or the saved_model.pb in it.
  explicit ModelSource(const std::string& file);

  const std::string& path() const { return path_; }
  /// OpenVINO reads the signature serving_default of a SavedModel, and no other.
  bool is_saved_model() const { return saved_model_; }
  /// What the weights take, which are in the file or beside it.
  uint64_t bytes() const;
  /// Whether an IR file has a variable that outlasts an execution.
  bool keeps_state() const;

 private:
  std::string path_;
  bool saved_model_ = false;
};

}  // namespace modelmill::ov
