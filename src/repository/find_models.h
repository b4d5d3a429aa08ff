#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace modelmill {

/// What a backend's models look like on disk.
struct ModelFormat {
  std::string backend;
  std::string default_file;             // "model.onnx"; empty: needs no file
  std::vector<std::string> extensions;  // ".onnx"
};

/// One version of a model on disk.
struct FoundVersion {
  int64_t version = 1;
  /// The version's folder; for a model file given by itself the folder it is in.
  std::string directory;
  /// The model file given by itself; empty when it is to be looked for in `directory`.
  std::string file;
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
};

/// What was found, and what was passed over and why, for the log.
struct FoundModels {
  std::vector<FoundModel> models;  // by name
  std::vector<std::string> notes;
};

/// Looks at each path and tells what it is: a model file (version 1 of a model named as the file's stem), a model's
/// folder (it has numeric version folders or a config.pbtxt), or a folder of such folders and files. An error when a
/// path is missing, unreadable or holds no model, or when two models have one name. Links are followed.
Result<FoundModels> find_models(const std::vector<std::string>& paths, std::span<const ModelFormat> formats);

}  // namespace modelmill
