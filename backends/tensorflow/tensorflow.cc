// The TensorFlow backend: serves SavedModels with the vendor's own library, found at run time (library.h), through its
// C API (tf_api.h), configured by the model's parameters (options.h).

#include <cstdlib>

#include "model.h"
#include "support/vendor_backend.h"

namespace {

using namespace modelmill::backend;
using modelmill::tensorflow::Library;
using modelmill::tensorflow::SavedModel;

class TensorFlowBackend final : public VendorBackend<Library> {
 public:
  static constexpr const char* kName = "tensorflow";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kDefaultFile = "saved_model.pb";
  static constexpr const char* kFileExtensions = ".savedmodel";

  void initialize(const Json& settings, const std::string& library_dir) override {
    VendorBackend::initialize(settings, library_dir);
    // What TensorFlow reads of the environment when it is opened, unless the operator has said something: each session
    // has threads of its own for its operators, rather than all as many as the first asked for; and only errors are
    // written to standard error, not its start and a warning for every request that fails.
    setenv("TF_OVERRIDE_GLOBAL_THREADPOOL", "1", 0);
    setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0);
  }

  std::unique_ptr<Model> load(const ModelArgs& args) override {
    opened();
    return std::make_unique<SavedModel>(args);
  }

 private:
  void describe(const Opened* opened, RuntimeInfo& out) override {
    out.runtime = "TensorFlow";
    out.gpu_count = 0;
    if (opened != nullptr) out.devices = "CPU";
  }
};

}  // namespace

MODELMILL_BACKEND(TensorFlowBackend)
