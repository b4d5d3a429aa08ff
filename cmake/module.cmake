# Warnings, sanitizers and include paths that every target of ours has.
add_library(mm_options INTERFACE)
# gcc 12 takes clang's attributes for errors, and sees overlaps and overreads in std::string and boost's small_vector
# that are not there; what is seen changes with the optimisation, so it is off everywhere.
target_compile_options(mm_options INTERFACE -Wall -Wextra -Werror -Wno-missing-field-initializers
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-attributes> $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overread> $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>)
target_include_directories(mm_options INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_link_libraries(mm_options INTERFACE Threads::Threads)
if(MODELMILL_SANITIZE)
  add_compile_options(-fsanitize=${MODELMILL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MODELMILL_SANITIZE})
  # What gcc adds to the code hides from it that something is set, as in std::regex; other builds are told of such things.
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  if(MODELMILL_SANITIZE STREQUAL "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)  # atomic_thread_fence in Asio, which it does not understand
  endif()
endif()

# mm_grouped(TARGET SOURCES...)
# Builds other than `dev` compile eight sources at a time as one (CMAKE_UNITY_BUILD), which takes a quarter of the time:
# nearly all of it goes into headers. Which ones go together is computed from their text, so that a source means the same
# as alone (cmake/group_sources.py); it is computed again when one of them has changed.
function(mm_grouped target)
  get_target_property(unity ${target} UNITY_BUILD)
  if(NOT unity)
    return()
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/group_sources.py ${ARGN})
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/cmake/group_sources.py 8 ${ARGN}
    OUTPUT_VARIABLE lines OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE "\n" ";" lines "${lines}")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "^([0-9]+) (.*)$" matched "${line}")
    set_source_files_properties(${CMAKE_MATCH_2} PROPERTIES UNITY_GROUP ${CMAKE_MATCH_1})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD_MODE GROUP)
endfunction()

# mm_module(NAME [SMALL] [DEPS modules or libraries...] [SOURCES extra...] [TEST_DEPS ...])
# A static library mm_NAME of the folder's *.cc, and one test program mm_NAME_test of its *_test.cc.
# SMALL: nothing of it is on a request's path, so what is shipped is compiled for size.
# testing/ inside the folder holds header-only fakes.
function(mm_module name)
  cmake_parse_arguments(M "SMALL" "" "DEPS;SOURCES;TEST_DEPS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "(_test|_bench|_fuzz|_main)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  if(sources OR M_SOURCES)
    add_library(mm_${name} STATIC ${sources} ${M_SOURCES})
    target_link_libraries(mm_${name} PUBLIC mm_options ${M_DEPS})
    if(M_SMALL)
      target_compile_options(mm_${name} PRIVATE $<$<CONFIG:Release>:-Os>)
    endif()
    mm_precompiled(mm_${name} plain)
    mm_grouped(mm_${name} ${sources})
  else()
    add_library(mm_${name} INTERFACE)
    target_link_libraries(mm_${name} INTERFACE mm_options ${M_DEPS})
  endif()
  if(tests)
    add_executable(mm_${name}_test ${tests})
    target_link_libraries(mm_${name}_test PRIVATE mm_${name} ${M_TEST_DEPS} GTest::gmock GTest::gtest_main)
    mm_precompiled(mm_${name}_test tests)
    mm_grouped(mm_${name}_test ${tests})
    add_test(NAME unit.${name} COMMAND mm_${name}_test)
    set_tests_properties(unit.${name} PROPERTIES TIMEOUT 300)
  endif()
endfunction()
