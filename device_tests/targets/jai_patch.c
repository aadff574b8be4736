/*
 * jai-patch LIBRARY GRAPH SIDE RUNS     time and memory of one network on a patch of SIDE x SIDE luma samples
 *
 * Opens LiteRT's shared library at run time, so it needs neither its headers nor its library to be built, and calls the
 * C interface of LiteRT 2.3 on one CPU thread. Latents are pseudo-random, masks are ones. Prints facts as "# name
 * value": milliseconds (least of RUNS, after one that does not count), first_milliseconds (with preparation),
 * peak_bytes of the whole process, output_bytes and output_hash (FNV-1a, 64 bits, of the float32 outputs). Exit status:
 * 0 ok, 2 usage, a file that cannot be opened, or a call that fails.
 */
#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_TENSORS = 8, MAX_RANK = 8, AUTHORED_SIDE = 64, CPU = 1, HOST_MEMORY = 1, FLOAT32 = 1 };
enum { LOCK_READ = 0, LOCK_WRITE = 1 };

/* What the interface hands over by pointer. */
typedef struct layout {
    uint32_t rank : 7;
    uint32_t has_strides : 1;
    int32_t dimensions[MAX_RANK];
    uint32_t strides[MAX_RANK];
} layout;

typedef struct tensor_type {
    int32_t element;
    layout shape;
} tensor_type;

typedef void *handle;

/* The functions of the library that are used, by their names there. */
#define FUNCTIONS(X)                                                                                                   \
    X(LiteRtCreateEnvironment, (int, const void *, handle *))                                                          \
    X(LiteRtCreateModelFromFile, (handle, const char *, handle *))                                                     \
    X(LiteRtCreateOptions, (handle *))                                                                                 \
    X(LiteRtSetOptionsHardwareAccelerators, (handle, int))                                                             \
    X(LiteRtCreateCompiledModel, (handle, handle, handle, handle *))                                                   \
    X(LiteRtGetModelSignature, (handle, size_t, handle *))                                                             \
    X(LiteRtGetNumSignatureInputs, (handle, size_t *))                                                                 \
    X(LiteRtGetNumSignatureOutputs, (handle, size_t *))                                                                \
    X(LiteRtGetSignatureInputName, (handle, size_t, const char **))                                                    \
    X(LiteRtGetSignatureInputTensorByIndex, (handle, size_t, handle *))                                                \
    X(LiteRtGetSignatureOutputTensorByIndex, (handle, size_t, handle *))                                               \
    X(LiteRtGetRankedTensorType, (handle, tensor_type *))                                                              \
    X(LiteRtCompiledModelResizeInputTensor, (handle, size_t, size_t, const int *, size_t))                             \
    X(LiteRtGetCompiledModelOutputTensorLayouts, (handle, size_t, size_t, layout *, bool))                             \
    X(LiteRtCreateManagedTensorBuffer, (handle, int, const tensor_type *, size_t, handle *))                           \
    X(LiteRtLockTensorBuffer, (handle, void **, int))                                                                  \
    X(LiteRtUnlockTensorBuffer, (handle))                                                                              \
    X(LiteRtRunCompiledModel, (handle, size_t, size_t, handle *, size_t, handle *))

#define DECLARE(name, parameters) static int(*name) parameters;
FUNCTIONS(DECLARE)

static void stop(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "jai-patch: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(2);
}

#define CALL(name, ...)                                                                                                \
    do {                                                                                                               \
        const int status = name(__VA_ARGS__);                                                                          \
        if (status != 0) {                                                                                             \
            stop("%s fails with status %d", #name, status);                                                            \
        }                                                                                                              \
    } while (0)

static void bind(void *library, const char *name, void *function)
{
    void *found = dlsym(library, name);
    if (found == NULL) {
        stop("the library has no %s", name);
    }
    memcpy(function, &found, sizeof found);
}

static size_t elements(const layout *shape)
{
    size_t count = 1;
    for (unsigned i = 0; i < shape->rank; i++) {
        count *= (size_t)shape->dimensions[i];
    }
    return count;
}

static handle new_buffer(handle environment, const tensor_type *type)
{
    handle buffer = NULL;
    if (type->element != FLOAT32) {
        stop("the graph has tensors that are not float32");
    }
    CALL(LiteRtCreateManagedTensorBuffer, environment, HOST_MEMORY, type, elements(&type->shape) * sizeof(float),
         &buffer);
    return buffer;
}

/* Ones for masks, which are named so; else numbers of [-2, 2) in steps of 1/64. */
static void fill(handle buffer, const char *name, size_t count)
{
    const bool mask = strncmp(name, "mask_", 5) == 0;
    uint32_t state = 1;
    void *memory = NULL;
    CALL(LiteRtLockTensorBuffer, buffer, &memory, LOCK_WRITE);
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        ((float *)memory)[i] = mask ? 1.0f : (float)(state >> 24) / 64 - 2;
    }
    CALL(LiteRtUnlockTensorBuffer, buffer);
}

static uint64_t hashed(uint64_t hash, handle buffer, size_t bytes)
{
    void *memory = NULL;
    CALL(LiteRtLockTensorBuffer, buffer, &memory, LOCK_READ);
    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ ((const uint8_t *)memory)[i]) * 0x100000001B3u;
    }
    CALL(LiteRtUnlockTensorBuffer, buffer);
    return hash;
}

static double milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

/* Most memory that was ever resident, as the kernel counts it. */
static unsigned long long peak_bytes(void)
{
    unsigned long long kilobytes = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "VmHWM: %llu", &kilobytes) == 1) {
            break;
        }
    }
    if (status != NULL) {
        fclose(status);
    }
    return 1024 * kilobytes;
}

typedef struct network {
    handle environment;
    handle compiled;
    size_t inputs;
    size_t outputs;
    handle input[MAX_TENSORS];
    handle output[MAX_TENSORS];
    size_t output_bytes[MAX_TENSORS];
} network;

/* Compiles a graph for a patch and fills its inputs. */
static void open_network(network *n, const char *graph, int side)
{
    handle model = NULL;
    handle options = NULL;
    handle signature = NULL;
    handle tensor = NULL;
    tensor_type type;
    layout shapes[MAX_TENSORS];
    CALL(LiteRtCreateEnvironment, 0, NULL, &n->environment);
    if (LiteRtCreateModelFromFile(n->environment, graph, &model) != 0) {
        stop("%s: not a graph that can be read", graph);
    }
    CALL(LiteRtCreateOptions, &options);
    CALL(LiteRtSetOptionsHardwareAccelerators, options, CPU);
    CALL(LiteRtCreateCompiledModel, n->environment, model, options, &n->compiled);
    CALL(LiteRtGetModelSignature, model, 0, &signature);
    CALL(LiteRtGetNumSignatureInputs, signature, &n->inputs);
    CALL(LiteRtGetNumSignatureOutputs, signature, &n->outputs);
    if (n->inputs > MAX_TENSORS || n->outputs > MAX_TENSORS) {
        stop("%s: more tensors than a network of a bundle has", graph);
    }
    for (size_t i = 0; i < n->inputs; i++) {
        const char *name = NULL;
        CALL(LiteRtGetSignatureInputName, signature, i, &name);
        CALL(LiteRtGetSignatureInputTensorByIndex, signature, i, &tensor);
        CALL(LiteRtGetRankedTensorType, tensor, &type);
        type.shape.dimensions[1] = type.shape.dimensions[1] * side / AUTHORED_SIDE;
        type.shape.dimensions[2] = type.shape.dimensions[2] * side / AUTHORED_SIDE;
        CALL(LiteRtCompiledModelResizeInputTensor, n->compiled, 0, i, type.shape.dimensions, type.shape.rank);
        n->input[i] = new_buffer(n->environment, &type);
        fill(n->input[i], name, elements(&type.shape));
    }
    CALL(LiteRtGetCompiledModelOutputTensorLayouts, n->compiled, 0, n->outputs, shapes, true);
    for (size_t i = 0; i < n->outputs; i++) {
        CALL(LiteRtGetSignatureOutputTensorByIndex, signature, i, &tensor);
        CALL(LiteRtGetRankedTensorType, tensor, &type);
        type.shape = shapes[i];
        n->output[i] = new_buffer(n->environment, &type);
        n->output_bytes[i] = elements(&type.shape) * sizeof(float);
    }
}

static double timed_run(network *n)
{
    const double start = milliseconds();
    CALL(LiteRtRunCompiledModel, n->compiled, 0, n->inputs, n->input, n->outputs, n->output);
    return milliseconds() - start;
}

int main(int argc, char **argv)
{
    const int side = argc == 5 ? atoi(argv[3]) : 0;
    const int runs = argc == 5 ? atoi(argv[4]) : 0;
    if (side < AUTHORED_SIDE || side % AUTHORED_SIDE != 0 || side > 1 << 13 || runs < 1) {
        fprintf(stderr, "usage: jai-patch LIBRARY GRAPH SIDE RUNS; SIDE is a multiple of %d\n", AUTHORED_SIDE);
        return 2;
    }
    void *library = dlopen(argv[1], RTLD_NOW);
    if (library == NULL) {
        stop("%s", dlerror());
    }
#define BIND(name, parameters) bind(library, #name, &name);
    FUNCTIONS(BIND)
    network n = {0};
    const double start = milliseconds();
    open_network(&n, argv[2], side);
    timed_run(&n);
    const double first = milliseconds() - start;
    double least = timed_run(&n);
    for (int i = 1; i < runs; i++) {
        const double time = timed_run(&n);
        least = time < least ? time : least;
    }
    size_t bytes = 0;
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n.outputs; i++) {
        hash = hashed(hash, n.output[i], n.output_bytes[i]);
        bytes += n.output_bytes[i];
    }
    printf("# milliseconds %.0f\n# first_milliseconds %.0f\n# peak_bytes %llu\n# output_bytes %zu\n", least, first,
           peak_bytes(), bytes);
    printf("# output_hash %016llx\n", (unsigned long long)hash);
    return 0;
}
