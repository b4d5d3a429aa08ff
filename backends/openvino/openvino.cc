// The backend `openvino`: models in OpenVINO's own format, and those that its readers take, by OpenVINO's C library,
// which is found at run time.
#include "model.h"

namespace modelmill::ov {
namespace {

class OpenVinoBackend final : public backend::Backend {
 public:
  static constexpr const char* kName = "openvino";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kDefaultFile = "model.xml";
  static constexpr const char* kFileExtensions = ".xml,.onnx,.tflite";

  void initialize(const backend::Json& settings, const std::string& library_dir) override {
    library_ = std::make_unique<Library>(settings["library"].text(), library_dir);
  }

  backend::RuntimeInfo runtime_info() override {
    backend::RuntimeInfo out;
    out.runtime = "OpenVINO";
    const Library::Opened* opened = library_->open(&out.problem);
    out.available = opened != nullptr;
    if (opened == nullptr) {
      out.remedy = Library::remedy();
      return out;
    }
    out.version = opened->version;
    out.path = opened->path;
    for (const std::string& name : device_names(*opened)) out.devices += (out.devices.empty() ? "" : ", ") + name;
    return out;
  }

  std::unique_ptr<backend::Model> load(const backend::ModelArgs& args) override {
    std::string problem;
    const Library::Opened* opened = library_->open(&problem);
    if (opened == nullptr) throw backend::Error(MM_FAILED_PRECONDITION, problem + "; " + Library::remedy());
    return std::make_unique<OvModel>(args, *opened);
  }

 private:
  std::unique_ptr<Library> library_;
};

}  // namespace
}  // namespace modelmill::ov

MODELMILL_BACKEND(modelmill::ov::OpenVinoBackend)
