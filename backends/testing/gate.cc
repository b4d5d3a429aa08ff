// A backend whose executions run while a gate is open, so that a test decides how long a model takes: each takes a
// shared lock of the file that the parameter `gate` names, and whoever holds an exclusive one holds them up. Output i
// is input i.

#include <string>

#include "gate.h"
#include "modelmill/backend.hpp"

namespace {

using namespace modelmill::backend;

class GateModel final : public Model {
 public:
  explicit GateModel(const ModelArgs& args) : gate_(args.config.parameter("gate").value_or("")) {
    info_.inputs = args.config.inputs();
    info_.outputs = args.config.outputs();
    if (args.config.max_batch_size() > 0) info_.capabilities |= MM_CAP_ROWS_INDEPENDENT;
    info_.recommended_instances = 1;
    pass();
  }

  ModelInfo info() override { return info_; }

  void execute(Execution& execution) override {
    execution.mark_input_end();
    pass();
    execution.mark_infer_end();
    for (Request& request : execution) {
      Response response = request.respond();
      for (uint32_t i = 0; i < request.info().input_count; ++i) {
        const mm_tensor input = request.input(i);
        response.forward(info_.outputs.at(i).name.c_str(), i, {input.shape, input.rank});
      }
      response.send();
    }
  }

 private:
  void pass() const { modelmill::backend::testing::pass_gate(gate_); }

  const std::string gate_;
  ModelInfo info_;
};

struct GateBackend final : BackendOf<GateModel> {
  static constexpr const char* kName = "gate";
  static constexpr const char* kVersion = "1.0";
};

}  // namespace

MODELMILL_BACKEND(GateBackend)
