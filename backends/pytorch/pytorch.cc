// The PyTorch backend: serves TorchScript and what AOTInductor compiled with the vendor's own libraries, found at run
// time (library.h) and called through the bridge that was compiled for their release (bridge.h), configured by the
// model's parameters (options.h).

#include "library.h"
#include "model.h"
#include "support/vendor_backend.h"

namespace {

using namespace modelmill::backend;
using modelmill::pytorch::Library;
using modelmill::pytorch::TorchModel;

class PyTorchBackend final : public VendorBackend<Library> {
 public:
  static constexpr const char* kName = "pytorch";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kDefaultFile = "model.pt";
  static constexpr const char* kFileExtensions = ".pt,.pt2,.pth,.torchscript";

  std::unique_ptr<Model> load(const ModelArgs& args) override {
    return std::make_unique<TorchModel>(args, *opened().bridge);
  }

 private:
  void describe(const Opened* opened, RuntimeInfo& out) override {
    out.runtime = "PyTorch";
    out.gpu_count = 0;
    if (opened != nullptr) out.devices = "CPU";
  }
};

}  // namespace

MODELMILL_BACKEND(PyTorchBackend)
