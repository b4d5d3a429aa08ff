// The backend `openvino`: models in OpenVINO's own format, and those that its readers take, by OpenVINO's C library,
// which is found at run time.
#include "model.h"
#include "support/vendor_backend.h"

namespace modelmill::ov {
namespace {

class OpenVinoBackend final : public backend::VendorBackend<Library> {
 public:
  static constexpr const char* kName = "openvino";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kDefaultFile = "model.xml";
  static constexpr const char* kFileExtensions = ".xml,.onnx,.tflite,.savedmodel";

  std::unique_ptr<backend::Model> load(const backend::ModelArgs& args) override {
    return std::make_unique<OvModel>(args, opened());
  }

 private:
  void describe(const Opened* opened, backend::RuntimeInfo& out) override {
    out.runtime = "OpenVINO";
    out.precisions = "bf16,fp16";
    if (opened == nullptr) return;
    for (const std::string& name : device_names(*opened)) out.devices += (out.devices.empty() ? "" : ", ") + name;
  }
};

}  // namespace
}  // namespace modelmill::ov

MODELMILL_BACKEND(modelmill::ov::OpenVinoBackend)
