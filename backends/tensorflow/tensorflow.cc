// The TensorFlow backend: serves SavedModels with the vendor's own library, found at run time (library.h), through its
// C API (tf_api.h), configured by the model's parameters (options.h).

#include <cstdlib>

#include "model.h"

namespace {

using namespace modelmill::backend;
using modelmill::tensorflow::Library;
using modelmill::tensorflow::SavedModel;

class TensorFlowBackend final : public Backend {
 public:
  static constexpr const char* kName = "tensorflow";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kDefaultFile = "saved_model.pb";
  static constexpr const char* kFileExtensions = ".savedmodel";

  void initialize(const Json& settings, const std::string& library_dir) override {
    library_ = std::make_unique<Library>(settings["library"].text(), library_dir);
    // What TensorFlow reads of the environment when it is opened, unless the operator has said something: each session
    // has threads of its own for its operators, rather than all as many as the first asked for; and only errors are
    // written to standard error, not its start and a warning for every request that fails.
    setenv("TF_OVERRIDE_GLOBAL_THREADPOOL", "1", 0);
    setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0);
  }

  RuntimeInfo runtime_info() override {
    RuntimeInfo out;
    out.runtime = "TensorFlow";
    out.gpu_count = 0;
    const Library::Opened* opened = library_->open(&out.problem);
    out.available = opened != nullptr;
    if (opened == nullptr) {
      out.remedy = Library::remedy();
      return out;
    }
    out.version = opened->version;
    out.path = opened->path;
    out.devices = "CPU";
    return out;
  }

  std::unique_ptr<Model> load(const ModelArgs& args) override {
    std::string problem;
    if (library_->open(&problem) == nullptr) throw Error(MM_FAILED_PRECONDITION, problem + "; " + Library::remedy());
    return std::make_unique<SavedModel>(args);
  }

 private:
  std::unique_ptr<Library> library_;
};

}  // namespace

MODELMILL_BACKEND(TensorFlowBackend)
