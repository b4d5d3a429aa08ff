// The ONNX Runtime backend: serves ONNX files with the vendor's own library, found at run time (library.h), configured
// by the model's parameters (options.h).

#include "model.h"
#include "support/vendor_backend.h"

namespace {

using namespace modelmill::backend;
using modelmill::ort::Library;
using modelmill::ort::OrtModel;

class OnnxRuntimeBackend final : public VendorBackend<Library> {
 public:
  static constexpr const char* kName = "onnxruntime";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kDefaultFile = "model.onnx";
  static constexpr const char* kFileExtensions = ".onnx,.ort";

  std::unique_ptr<Model> load(const ModelArgs& args) override { return std::make_unique<OrtModel>(args, opened()); }

 private:
  void describe(const Opened* opened, RuntimeInfo& out) override {
    out.runtime = "ONNX Runtime";
    if (opened == nullptr) return;
    for (std::string name : opened->providers) {
      if (const size_t suffix = name.rfind("ExecutionProvider"); suffix != std::string::npos) name.resize(suffix);
      out.devices += (out.devices.empty() ? "" : ", ") + name;
    }
  }
};

}  // namespace

MODELMILL_BACKEND(OnnxRuntimeBackend)
