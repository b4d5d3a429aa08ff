// A backend that shows four GPUs which are not there, so that placement is tested on every machine. Its models answer
// each row with the number of the device that ran it, -1 for the processor; executions run while the gate is open (see
// gate.cc).

#include <memory>
#include <string>

#include "gate.h"
#include "modelmill/backend.hpp"

namespace {

using namespace modelmill::backend;

class DevicesModel final : public Model {
 public:
  explicit DevicesModel(const ModelArgs& args) : gate_(args.config.parameter("gate").value_or("")) {
    info_.inputs = args.config.inputs();
    info_.outputs = args.config.outputs();
    if (args.config.max_batch_size() > 0) info_.capabilities |= MM_CAP_ROWS_INDEPENDENT;
    info_.recommended_instances = 1;
  }

  ModelInfo info() override { return info_; }

  std::unique_ptr<Instance> create_instance(const InstanceArgs& args) override {
    struct OnDevice final : Instance {
      OnDevice(const DevicesModel& model, int device) : model(model), device(device) {}
      void execute(Execution& execution) override {
        testing::pass_gate(model.gate_);
        for (Request& request : execution) {
          const mm_tensor input = request.input(0);
          Response response = request.respond();
          auto* out = static_cast<float*>(
              response.allocate(model.info_.outputs.at(0).name.c_str(), MM_FP32, {input.shape, input.rank}));
          for (uint64_t i = 0; i < input.element_count; ++i) out[i] = static_cast<float>(device);
          response.send();
        }
      }
      const DevicesModel& model;
      const int device;
    };
    return std::make_unique<OnDevice>(*this, args.kind == MM_DEVICE_GPU ? args.device_id : -1);
  }

 private:
  const std::string gate_;
  ModelInfo info_;
};

struct DevicesBackend final : BackendOf<DevicesModel> {
  static constexpr const char* kName = "devices";
  static constexpr const char* kVersion = "1.0";
  RuntimeInfo runtime_info() override {
    RuntimeInfo info;
    info.runtime = "four devices";
    info.version = "1.0";
    info.devices = "CPU, GPU 0, GPU 1, GPU 2, GPU 3";
    info.gpu_count = 4;
    return info;
  }
};

}  // namespace

MODELMILL_BACKEND(DevicesBackend)
