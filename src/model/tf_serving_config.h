#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/config_problem.h"
#include "model/model_layer.h"

namespace modelmill::tf_serving {
class ModelServerConfig;
}

namespace modelmill {

/// An entry of TensorFlow Serving's --model_config_file, or of the list that a client of its sends.
struct TfServingModel {
  std::string name;
  std::string base_path;
  std::string place;
  ModelLayer layer;
  std::vector<ConfigProblem> problems;
};

struct TfServingConfig {
  std::vector<TfServingModel> models;
  std::vector<std::string> notes;  // what was passed over
  /// Of the file as a whole; then there are no models.
  std::vector<ConfigProblem> problems;
};

/// Reads a --model_config_file: the text form of a ModelServerConfig with a model_config_list.
TfServingConfig read_tf_serving_config(std::string_view text, const std::string& file);

/// Reads a list that came as a message. Places are paths inside it, such as "model_config_list.config[1]".
TfServingConfig read_tf_serving_config(const tf_serving::ModelServerConfig& message);

/// Reads a --batching_parameters_file, the text form of BatchingParameters, as what it says of every model: its
/// max_batch_size, batch_timeout_micros, max_enqueued_batches (as requests of a full batch each), num_batch_threads (as
/// instances), allowed_batch_sizes, and with enable_large_batch_splitting max_execution_batch_size. Inputs are never
/// padded to one length: those of unequal length run in batches of their own. INVALID_ARGUMENT "file:line:column: ...".
Result<ModelLayer> read_tf_batching_parameters(std::string_view text, const std::string& file);

/// What such a file calls the threads that run batches, or what TensorFlow Serving calls them.
std::string tf_thread_pool_name(std::string_view text);

}  // namespace modelmill
