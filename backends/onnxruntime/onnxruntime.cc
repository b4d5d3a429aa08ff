// The ONNX Runtime backend: serves ONNX files with the vendor's own library, found at run time (library.h), configured
// by the model's parameters (options.h).

#include "model.h"

namespace {

using namespace modelmill::backend;
using modelmill::ort::Library;
using modelmill::ort::OrtModel;

class OnnxRuntimeBackend final : public Backend {
 public:
  static constexpr const char* kName = "onnxruntime";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kDefaultFile = "model.onnx";
  static constexpr const char* kFileExtensions = ".onnx,.ort";

  void initialize(const Json& settings, const std::string& library_dir) override {
    library_ = std::make_unique<Library>(settings["library"].text(), library_dir);
  }

  RuntimeInfo runtime_info() override {
    RuntimeInfo out;
    out.runtime = "ONNX Runtime";
    const Library::Opened* opened = library_->open(&out.problem);
    out.available = opened != nullptr;
    if (opened == nullptr) {
      out.remedy = Library::remedy();
      return out;
    }
    out.version = opened->version;
    out.path = opened->path;
    for (std::string name : opened->providers) {
      if (const size_t suffix = name.rfind("ExecutionProvider"); suffix != std::string::npos) name.resize(suffix);
      out.devices += (out.devices.empty() ? "" : ", ") + name;
    }
    return out;
  }

  std::unique_ptr<Model> load(const ModelArgs& args) override {
    std::string problem;
    const Library::Opened* opened = library_->open(&problem);
    if (opened == nullptr) throw Error(MM_FAILED_PRECONDITION, problem + "; " + Library::remedy());
    return std::make_unique<OrtModel>(args, *opened);
  }

 private:
  std::unique_ptr<Library> library_;
};

}  // namespace

MODELMILL_BACKEND(OnnxRuntimeBackend)
