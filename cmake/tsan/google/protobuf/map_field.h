// Found in place of protobuf's own header in builds with the thread sanitizer. With it GCC defines __SANITIZE_THREAD__,
// and protobuf then gives its map fields two more members, which the distribution's libprotobuf.a, built without it,
// does not have: code of ours and of the library would disagree where the other members are. What the header itself
// needs comes first, so that only protobuf's declarations are read without the macro.
#pragma once

#include <google/protobuf/arena.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/generated_message_reflection.h>
#include <google/protobuf/generated_message_util.h>
#include <google/protobuf/map_entry.h>
#include <google/protobuf/map_field_lite.h>
#include <google/protobuf/message.h>
#include <google/protobuf/repeated_field.h>
#include <google/protobuf/unknown_field_set.h>

#include <atomic>
#include <functional>
#include <memory>

#pragma push_macro("__SANITIZE_THREAD__")
#undef __SANITIZE_THREAD__
#include_next <google/protobuf/map_field.h>
#pragma pop_macro("__SANITIZE_THREAD__")
