#pragma once

#include "model/definition.h"
#include "model/signature.h"

namespace modelmill {

/// Whether every input and output has a first dimension of any size.
bool is_open_first(const Signature& signature);

/// Whether the configuration gives any tensor another shape in the runtime than clients see.
bool has_reshape(const ModelDefinition& definition);

/// Whole configured shapes become those of a model with max_batch_size.
void leave_batch_out_of_dims(ModelDefinition& definition);

}  // namespace modelmill
