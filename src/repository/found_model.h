#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "model/config_problem.h"
#include "model/model_layer.h"

namespace modelmill {

/// One version of a model on disk.
struct FoundVersion {
  int64_t version = 1;
  /// The version's folder; for a model file given by itself the folder it is in.
  std::string directory;
  /// The model file given by itself; empty when it is to be looked for in `directory`.
  std::string file;
};

/// How a model's files are laid out.
enum class ModelLayout {
  kFile,         // a model file by itself
  kFolder,       // numbered versions, a config.pbtxt or a modelmill.yaml: Triton's, TF Serving's and our own
  kMlflow,       // an MLmodel
  kMlserver,     // a model-settings.json
  kTorchserve,   // an unpacked .mar
  kHuggingFace,  // a config.json beside weights
};

/// A model on disk, not yet read. Paths are as the user wrote them, with what was found appended.
struct FoundModel {
  std::string name;
  /// The model's folder; empty for a file given by itself.
  std::string directory;
  /// Its config.pbtxt, or empty.
  std::string config_file;
  /// Ascending, each number once.
  std::vector<FoundVersion> versions;
  /// The folder is an entry of a repository: a configuration that names the model must name it as the folder is named.
  bool in_repository = false;
  /// It came from a client: nothing in its folder is run as code of the server's own.
  bool untrusted = false;
  /// OK, or why it can't be loaded as it lies there (a name that can't be served).
  Status problem;
  ModelLayout layout = ModelLayout::kFile;
  /// What is said of the model beside its config.pbtxt, lowest first: by the layout, by its modelmill.yaml, by the file
  /// that lists it.
  std::vector<ModelLayer> layers;
  /// The files that `layers` and config_file come from, for whoever watches them.
  std::vector<std::string> config_files;
  /// The archives that it was unpacked from, and what must stay as long as its files are wanted: the folders that they
  /// were unpacked into.
  std::vector<std::string> archives = {};
  std::vector<std::shared_ptr<const void>> held = {};
  /// Everything that is wrong with its files; `problem` is the first of it.
  std::vector<ConfigProblem> problems;
  /// Of descriptions that have problems, what else they say; only of use for finding further problems.
  std::vector<ModelLayer> doubtful_layers = {};

  /// Notes that the model can't be loaded; the first reason counts.
  void refuse(const ConfigProblem& why) {
    problems.push_back(why);
    if (problem.ok()) problem = status_of(why);
  }

  /// Takes in a description, or notes what is wrong with it.
  void describe(const ModelLayer& layer, const std::vector<ConfigProblem>& wrong) {
    for (const ConfigProblem& why : wrong) refuse(why);
    misdescribed += wrong.size();
    (wrong.empty() ? layers : doubtful_layers).push_back(layer);
  }
  /// How many of `problems` are of descriptions, and not of what lies there.
  size_t misdescribed = 0;
};

}  // namespace modelmill
