#pragma once

#include <string>

#include "base/result.h"
#include "cli/personality/personality.h"

namespace modelmill::personality {

/// `environment` with what a file in the form of python-dotenv's .env says of variables that it does not have: lines of
/// NAME=VALUE with quotes, comments, `export` and ${NAME:-default}. Names count in any case. Without such a file it is
/// as it was. INVALID_ARGUMENT names the line that is none.
Result<Environment> with_dotenv(const std::string& file, const Environment& environment);

}  // namespace modelmill::personality
