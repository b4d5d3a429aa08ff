#pragma once

#include <memory>
#include <string>
#include <vector>

#include "interpreter.h"
#include "modelmill/backend.hpp"
#include "pool.h"

namespace modelmill::python {

/// What the operator said of all Python models.
struct PythonSettings {
  std::string python;   // an interpreter or environment; empty: found
  std::string package;  // the folder of the package modelmill; empty: found
  std::string wheels;   // for requirements.txt, instead of the network
  std::string cache;    // where environments are kept
  std::string plugin_dir;
};

/// A model whose code is Python. Its instances are workers; of a model whose code runs several executions at once they
/// are the pool's, behind one instance.
class PythonModel final : public backend::Model {
 public:
  PythonModel(const backend::ModelArgs& args, const PythonSettings& settings);

  backend::ModelInfo info() override;
  std::unique_ptr<backend::Instance> create_instance(const backend::InstanceArgs& args) override;

 private:
  size_t take_seat(const std::string& device);

  int64_t workers_ = 0;              // the model's own wish; 0: none
  int64_t concurrency_ = 0;          // of executions on each worker that takes several
  std::vector<std::string> places_;  // devices of its configuration's instances; one at least
  std::shared_ptr<const WorkerSettings> settings_;
  std::unique_ptr<Pool> pool_;
  bool first_taken_ = false;
};

}  // namespace modelmill::python
