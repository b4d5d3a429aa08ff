#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/status.h"
#include "catalog/instances.h"
#include "model/tf_serving_config.h"

namespace modelmill {

/// A model that somebody asks to be loaded.
struct ModelLoad {
  std::string model;
  /// Used in the place of the model's own configuration: an inference.ModelConfig as JSON. Empty: the model's own.
  std::string config_json = {};
  /// Files by their path inside the model's folder, such as "1/model.onnx": used in the place of the whole folder.
  /// Needs a configuration too.
  std::map<std::string, std::string> files = {};
  /// Where the model is: a URL that --allow-model-url allows. Empty: in the repository.
  std::string url = {};
  /// It may break clients of the version that serves.
  bool allow_breaking = false;
  /// The code of another model waits for it, maybe while that model is loaded itself.
  bool for_code = false;
};

/// A model that somebody asks to be taken away.
struct ModelUnload {
  std::string model;
  /// Of an ensemble the members too that are loaded for it alone.
  bool with_members = false;
  /// As of ModelLoad.
  bool for_code = false;
};

/// A version that a label, or the model's name alone, is to stand for.
struct VersionAssignment {
  std::string model;
  std::string label;               // empty: the model's name alone, that is the default version
  std::optional<int64_t> version;  // nullopt: what the model's configuration says
  /// The version need not be served yet.
  bool ahead = false;
};

/// A model that somebody asks to be served from a place.
struct ModelAddition {
  /// The name of a file or folder in a folder that the server was started with, or a URL that is allowed.
  std::string place = {};
  /// What it is called; empty: as it calls itself.
  std::string model = {};
  /// Rows of an execution, at most, and how long one waits for more; nullopt: as it says itself.
  std::optional<int64_t> batch_size = {};
  std::optional<std::chrono::milliseconds> batch_delay = {};
  /// Parameters that it has in the place of its own, if it runs in Python.
  std::map<std::string, std::string> parameters = {};
  /// A folder of this machine that whoever asks answers for, instead of the place; empty: the place.
  std::string folder = {};
};

/// The version that was found there.
struct AddedModel {
  std::string model;
  int64_t version = 0;
};

/// How many instances a version is to have.
struct InstanceRequest {
  std::string model;
  int64_t version = 0;  // 0: the default one
  int min = 1;
  int max = 1;  // where that is more, the number follows the load
};

/// What the control plane alone knows of a version.
struct ServedPlace {
  std::string file;  // the name of the file or folder that it came from
  InstanceLimits instances;
};

/// What clients may ask of the control plane. Thread-safe; returns at once. `done` is called once, on a thread of the
/// control plane or before the call returns.
class ModelControl {
 public:
  using Done = std::function<void(Status)>;

  virtual ~ModelControl() = default;

  /// Loads, or loads again what has changed. Done when every version that should be served is, or has failed.
  /// UNAVAILABLE where clients may not, NOT_FOUND for a model that is not in any repository.
  virtual void load(ModelLoad load, Done done) = 0;
  /// Takes the model from clients. Done when nobody can begin with it; it goes when its last request is answered.
  virtual void unload(ModelUnload unload, Done done) = 0;
  /// Serves the models of TensorFlow Serving's list in the place of all that are served. Done when every version that
  /// should be served is, or has failed; then the others serve. An error that has changed nothing (UNAVAILABLE where
  /// clients may not, INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION for a label of a version that would not serve)
  /// says so.
  virtual void serve_listed(TfServingConfig list, Done done) = 0;
  /// FAILED_PRECONDITION for a version that is not served, NOT_FOUND for a model or label that there is not.
  virtual void assign(VersionAssignment assignment, Done done) = 0;

  using Added = std::function<void(Result<AddedModel>)>;
  /// Serves what is at a place beside what is served of that model already. Files no longer change what is served of
  /// it; after a restart it is known again only if it is in a folder of the server's. UNAVAILABLE where clients may
  /// not, NOT_FOUND for a place that there is not, PERMISSION_DENIED for a URL that is not allowed, ALREADY_EXISTS for
  /// a version that is served.
  virtual void add(ModelAddition addition, Added done) = 0;
  /// Takes one version of several from clients; what is left is as after add().
  virtual void withdraw(const std::string& model, int64_t version, Done done) = 0;
  /// Done when there are so many instances. INVALID_ARGUMENT for a range that is none, FAILED_PRECONDITION for a model
  /// whose number of instances is fixed.
  virtual void scale(InstanceRequest request, Done done) = 0;
  /// NOT_FOUND for a version that is not served.
  virtual Result<ServedPlace> place(const std::string& model, int64_t version) const = 0;
};

}  // namespace modelmill
