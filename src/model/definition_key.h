#pragma once

#include <string>

#include "model/definition.h"

namespace modelmill {

/// Everything of a configuration that a version is made with, as one text: of two that are equal a version that serves
/// by the one serves by the other too. Not in it is what serving_key() has. Pure.
std::string making_key(const ModelDefinition& definition);

/// What a configuration says of a model beside its versions, which know nothing of it: under what names they serve,
/// which may take another's place. Which of them the version policy picks is not in it. Pure.
std::string serving_key(const ModelDefinition& definition);

}  // namespace modelmill
