/*
 * jai_entropy: the entropy stage of JPEG AI (ISO/IEC 6048-1 | ITU-T T.840.1) in portable C11.
 *
 * From the bytes of a code stream and the integer tables of its model (`entropy_<model>.bin`) to headers and integer
 * arrays: hyper latents, sigma indices, skip mask, residual symbols, quality map. Integers only: the same input gives
 * the same arrays on every device, big or little endian, 32 or 64 bit.
 *
 *     jai_context context;
 *     jai_options options;
 *     jai_stream *stream = NULL;
 *     jai_model *model = NULL;
 *     const jai_arrays *arrays = NULL;
 *     jai_context_init(&context, NULL, 256 << 20);
 *     jai_options_init(&options);
 *     if (jai_stream_open(&context, data, size, &options, &stream) == JAI_OK &&
 *         jai_model_open(&context, tables, tables_size, &model) == JAI_OK &&
 *         jai_stream_decode(stream, model, &options, &arrays) == JAI_OK) {
 *         use(arrays);
 *     } else {
 *         puts(context.message);
 *     }
 *     jai_model_close(model);
 *     jai_stream_close(stream);
 *
 * Nothing here has global state. Objects of different contexts may be used by different threads at the same time; one
 * context and its objects by one thread at a time, except that any number of threads may decode with one model.
 * Every pointer handed in must stay valid while the object made from it is open.
 */
#ifndef JAI_ENTROPY_H
#define JAI_ENTROPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(JAI_SHARED_LIBRARY) && defined(_WIN32)
#define JAI_API __declspec(dllexport)
#elif defined(JAI_SHARED_LIBRARY) && defined(__GNUC__)
#define JAI_API __attribute__((visibility("default")))
#else
#define JAI_API
#endif

#define JAI_ENTROPY_VERSION "0.1.0"

/* The version of the library that is linked, the same as the package's. */
JAI_API const char *jai_entropy_version(void);

/* --- status ---------------------------------------------------------------------------------------------------- */

typedef enum jai_status {
    JAI_OK = 0,
    JAI_INVALID_STREAM = 1, /* broken syntax, damaged data, or made for other weights */
    JAI_UNSUPPORTED = 2,    /* legal, but not decoded by this library; the message names it */
    JAI_LIMIT_EXCEEDED = 3, /* more samples or bytes than the caller allows */
    JAI_BUNDLE_ERROR = 4,   /* the integer tables are damaged or of another format */
    JAI_OUT_OF_MEMORY = 5   /* the caller's allocator gave NULL */
} jai_status;

/* --- memory and errors ----------------------------------------------------------------------------------------- */

/* Where all memory comes from. `allocate` gives memory aligned as malloc's, or NULL; `release` gets the same size. */
typedef struct jai_allocator {
    void *(*allocate)(void *user, size_t size);
    void (*release)(void *user, void *memory, size_t size);
    void *user;
} jai_allocator;

enum { JAI_MESSAGE_SIZE = 256 };

/* What a family of objects shares: its memory, the limit on it, and the message of the last failure. */
typedef struct jai_context {
    jai_allocator allocator;
    size_t byte_limit; /* most bytes held at one time */
    size_t bytes_held;
    size_t bytes_peak;
    char message[JAI_MESSAGE_SIZE]; /* one line: what is wrong and where */
} jai_context;

/* `allocator` NULL stands for malloc and free. The context must outlive its objects and needs no closing. */
JAI_API void jai_context_init(jai_context *context, const jai_allocator *allocator, size_t byte_limit);

/* --- headers --------------------------------------------------------------------------------------------------- */

enum { JAI_LUMA = 0, JAI_CHROMA = 1, JAI_COMPONENTS = 2 };
enum { JAI_LUMA_CHANNELS = 160, JAI_CHROMA_CHANNELS = 96 };

/* The part of the picture header that is coded once per component. Names and values as coded. */
typedef struct jai_component_header {
    uint8_t multi_threading_r;
    uint8_t log2_num_threads_r_minus1;
    uint8_t num_chs;
    uint8_t use_cube_flags;
    uint8_t rvs_enable_flag;
    uint8_t grfs_enable_flag;
    uint8_t synthesis_tile_enable;
    uint8_t synthesis_tile_size;    /* times 16 */
    uint8_t synthesis_tile_overlap; /* times 16 */
    uint8_t grfs_channel_flag[JAI_LUMA_CHANNELS];
    uint32_t cube_groups;           /* ceil(cube_flags / 8) */
    const uint8_t *cube_group_flag; /* [cube_groups] 0: the flags of the group are not coded and all ones */
    uint32_t cube_rows;             /* this and the next two are 0 when cube flags are not used */
    uint32_t cube_columns;
    uint32_t cube_flags;      /* 4 * cube_rows * cube_columns */
    const uint8_t *cube_flag; /* [4 phases][cube_rows][cube_columns]; flags of uncoded groups filled in */
} jai_component_header;

/* The picture header (PIH). Names and values as coded. */
typedef struct jai_picture_header {
    uint8_t decoder_profile_id; /* 0 simple, 1 main, 2 high */
    uint8_t num_synthesis_transforms_minus1;
    uint8_t synthesis_transform_id[16]; /* 0 SOP, 1 BOP, 2 HOP; the first is the default */
    uint8_t level_idc;
    uint16_t img_width_minus64;
    uint16_t img_height_minus64;
    uint8_t diff_display_img_width;
    uint8_t diff_display_img_height;
    uint8_t bit_depth_idc; /* 0: 8 bit, 1: 10 bit */
    uint8_t s_ver_minus1;
    uint8_t s_hor_minus1;
    uint8_t c_ver_minus1;
    uint8_t c_hor_minus1;
    uint8_t colour_transform_idx; /* 0 YUV, 1 RGB by BT.709, 2 matrix */
    uint8_t colour_transform_matrix[9];
    uint8_t colour_transform_offset[3];
    uint8_t model_id;
    uint8_t multi_threading_z;
    uint8_t log2_num_threads_z_minus1;
    uint16_t beta_displacement_log_plus_2048[JAI_COMPONENTS];
    uint8_t region_partitioning_flag;
    uint8_t num_ver_splits_minus1;
    uint8_t num_hor_splits_minus1;
    uint8_t region_residual_in_its_own_substream_flag;
    uint8_t hyper_decoder_overlap_in_latent_samples;
    uint8_t mcm_overlap_in_latent_samples;
    uint8_t independent_beta_uv;
    jai_component_header component[JAI_COMPONENTS];
    uint8_t gain_3D_enable_flag; /* quality map */
    uint8_t multi_threading_q;
    uint8_t log2_num_threads_q_minus1;
    uint8_t quality_map_entropy_index;
} jai_picture_header;

/* The coded kernels of one chroma plane (U or V) of EFE linear. */
typedef struct jai_efe_linear_plane {
    uint8_t best_cand_idx; /* 0: no coded filter; else split number + 1 */
    uint8_t fL;            /* side of the kernels */
    uint8_t regions;       /* of the split */
    uint8_t kernels;       /* in `weights` per region: 1, or 4 phases */
    uint16_t *weights;     /* [regions][kernels][fL * fL] */
    uint16_t *weights2;    /* [regions][fL * fL], luma kernels */
} jai_efe_linear_plane;

typedef struct jai_efe_linear_set {
    uint16_t minSymbol;
    uint16_t maxSymbol;
    jai_efe_linear_plane plane[2]; /* U, V */
} jai_efe_linear_set;

typedef struct jai_eicci_tile {
    uint8_t icci_use[3]; /* Y, U, V */
    uint8_t icci_use_shortList;
    uint8_t icci_model_signalled_idx[2]; /* Y, UV */
} jai_eicci_tile;

typedef struct jai_efe_nonlinear_plane {
    uint8_t enabled_flag;
    uint16_t candNum;
    uint16_t *A1; /* [candNum] */
} jai_efe_nonlinear_plane;

/* The tool header (TON). Names and values as coded; zero are the parts of filters not enabled, and all without TON. */
typedef struct jai_tool_header {
    uint8_t lsbs_enable_flag[JAI_COMPONENTS];

    uint8_t EFE_linear_filter_enabled_flag;
    uint16_t B1[2];                /* chroma means times 100 */
    jai_efe_linear_set efe_set[2]; /* A (alternative picture), B (the filter) */

    uint8_t icci_enable_flag;
    uint8_t icci_tile_manager_enabled;
    uint8_t icci_tile_size;    /* times 16 */
    uint8_t icci_tile_overlap; /* times 16 */
    uint32_t icci_tiles;
    jai_eicci_tile *icci_tile; /* [icci_tiles] in raster order */

    uint8_t EFE_nonlinear_filter_enabled_flag;
    uint16_t minSymbol;
    uint16_t maxSymbol;
    uint8_t mask_enabled_flag[2];
    uint16_t bS;
    uint16_t len_mask_y;
    uint16_t len_mask_x;
    uint16_t *W5[2];                      /* [len_mask_y][len_mask_x] per enabled mask, values 0..3 */
    jai_efe_nonlinear_plane nonlinear[2]; /* U, V */
    uint16_t nonlinearW;
    uint16_t nonlinearH;
    uint16_t numTiles;
    uint16_t *minLuma; /* [numTiles], luma times 100 */
    uint16_t *maxLuma;

    uint8_t LEF_enabled_flag;
    uint8_t LEF_chIdx;
} jai_tool_header;

/* The rendering information (RDI); the fields of an absent part are zero. */
typedef struct jai_rendering_information {
    uint8_t cicp_present_flag;
    uint8_t colour_primaries;
    uint8_t transfer_characteristics;
    uint8_t matrix_coefficients;
    uint8_t image_full_range_flag;
    uint8_t chroma420_sample_loc_type;

    uint8_t mdcv_present_flag;
    uint16_t primaries[6]; /* x_0, y_0, x_1, y_1, x_2, y_2 */
    uint16_t white_point_chromaticity[2];
    uint32_t maximum_luminance;
    uint32_t minimum_luminance;

    uint8_t clli_present_flag;
    uint16_t maximum_content_light_level;
    uint16_t maximum_frame_average_light_level;

    uint8_t dm_present_flag;
    uint8_t dm_type;
    uint16_t dm_size;
    uint8_t *dm_data; /* [dm_size] */
} jai_rendering_information;

/* --- code stream ----------------------------------------------------------------------------------------------- */

/*
 * Bits of jai_options.arrays: the arrays that a decode stores besides z, quality map and residual. JAI_UNTIL_DAMAGE: a
 * decode that fails with JAI_INVALID_STREAM hands out its arrays too, for finding out why: what was decoded before the
 * damage was noticed, and zeros. JAI_SPARSE_RESIDUAL: instead of an array, the residual is kept without its zeros, for
 * jai_residual_window.
 */
enum {
    JAI_SCALE_INDEX = 1,
    JAI_SIGMA = 2,
    JAI_SKIP_MASK = 4,
    JAI_BLOCK_AVERAGE = 8,
    JAI_LEF_SIGMA = 16,
    JAI_UNTIL_DAMAGE = 32,
    JAI_SPARSE_RESIDUAL = 64
};

/* jai_stream_open reads max_samples and allow_missing_regions, jai_stream_decode the others. */
typedef struct jai_options {
    uint64_t max_samples;                  /* ceiling on coded luma samples, judged before any large allocation */
    uint16_t max_channels[JAI_COMPONENTS]; /* residual channels to keep; those above are decoded and dropped. Rounded
                                              up to where whole channels of a region fill whole groups of four of
                                              every thread */
    bool allow_missing_regions;            /* independent regions may be absent, those that the end of data cuts off
                                              among them: their residual is zero */
    uint32_t arrays;                       /* JAI_SCALE_INDEX | ...: an array that is not wanted costs no memory */
    uint8_t skipped_regions[32]; /* bit n % 8 of byte n / 8: independent region n is treated as missing, and its
                                    sub-streams are not looked at */
} jai_options;

/* 2^27 samples, all channels, no missing regions; scale index, sigma and skip mask. */
JAI_API void jai_options_init(jai_options *options);

/* A parsed code stream: headers and the places of its sub-streams. */
typedef struct jai_stream jai_stream;

/*
 * Parses everything but the symbols. On failure `*stream` is NULL and nothing stays allocated; fails with
 * JAI_INVALID_STREAM, JAI_UNSUPPORTED, JAI_LIMIT_EXCEEDED or JAI_OUT_OF_MEMORY.
 */
JAI_API jai_status jai_stream_open(jai_context *context, const uint8_t *data, size_t size, const jai_options *options,
                                   jai_stream **stream);
JAI_API void jai_stream_close(jai_stream *stream); /* NULL is allowed */

JAI_API const jai_picture_header *jai_stream_picture_header(const jai_stream *stream);
JAI_API const jai_tool_header *jai_stream_tool_header(const jai_stream *stream);
/* NULL when the stream has none. */
JAI_API const jai_rendering_information *jai_stream_rendering_information(const jai_stream *stream);
/* The payload of UDI inside the caller's bytes, NULL when the stream has none. */
JAI_API const uint8_t *jai_stream_user_data(const jai_stream *stream, size_t *size);

/* --- model ----------------------------------------------------------------------------------------------------- */

/* The integer tables of one model. */
typedef struct jai_model jai_model;

/*
 * Reads `entropy_<model>.bin` (the bytes must stay valid). On failure `*model` is NULL; fails with JAI_BUNDLE_ERROR
 * when the tables are damaged, JAI_LIMIT_EXCEEDED or JAI_OUT_OF_MEMORY.
 */
JAI_API jai_status jai_model_open(jai_context *context, const uint8_t *data, size_t size, jai_model **model);
JAI_API void jai_model_close(jai_model *model); /* NULL is allowed */

/* --- decoding -------------------------------------------------------------------------------------------------- */

/*
 * The arrays of one component, index order [channel, row, column]. Always all channels of the component, also when
 * fewer are coded. What was not asked for in jai_options.arrays is NULL.
 */
typedef struct jai_component_arrays {
    uint32_t channels;
    uint32_t rows; /* of the latent: ceil(height / 16) */
    uint32_t columns;
    uint32_t z_rows; /* ceil(height / 64) */
    uint32_t z_columns;
    int8_t *z;              /* [channels, z_rows, z_columns], -31..31 */
    int32_t *scale_index;   /* log sigma after gain vector, beta displacement and quality map; 7 fractional bits */
    int32_t *sigma;         /* after RVS and GRFS: what selects the coding table */
    uint8_t *skip_mask;     /* 1: the residual is coded */
    int16_t *residual;      /* symbols, 0 where not coded; NULL for JAI_SPARSE_RESIDUAL */
    int32_t *block_average; /* [channels, ceil(rows / 8), ceil(columns / 8)] mean of scale_index, 0..4351: what RVS,
                               GRFS and LSBS are switched by */
} jai_component_arrays;

typedef struct jai_arrays {
    jai_component_arrays component[JAI_COMPONENTS];
    int8_t *quality_map; /* [rows, columns], -8..8; NULL when the stream has none */
    int32_t *lef_sigma;  /* [rows, columns] sigma of the luma channel that LEF reads; NULL when it is off, names no
                            channel, or was not asked for */
} jai_arrays;

/*
 * Decodes all symbols, with the model that the picture header names (not checked). The arrays belong to the stream and
 * live until it is closed or decoded again. On failure `*arrays` is NULL (but see JAI_UNTIL_DAMAGE); fails with
 * JAI_INVALID_STREAM, JAI_LIMIT_EXCEEDED or JAI_OUT_OF_MEMORY.
 */
JAI_API jai_status jai_stream_decode(jai_stream *stream, const jai_model *model, const jai_options *options,
                                     const jai_arrays **arrays);

/*
 * The residual symbols of a window of latents after a decode with JAI_SPARSE_RESIDUAL that handed out arrays, as
 * [row][column][channel] with all channels of the component. Not checked: `component` is JAI_LUMA or JAI_CHROMA, and
 * the window lies inside the picture. Any number of threads may read at a time.
 */
JAI_API void jai_residual_window(const jai_stream *stream, unsigned component, uint32_t top, uint32_t left,
                                 uint32_t rows, uint32_t columns, int16_t *values);

/* --- single sub-streams ---------------------------------------------------------------------------------------- */

/*
 * me-tANS by itself, both directions: rows of values that share one coder with 1, 2, 4, 8 or 16 threads. A sub-stream
 * of a code stream is one row for a residual, and one row per channel for z. Neither the number of threads nor what
 * rows hold is checked: the ranges below are the caller's duty. Decoding fails with JAI_INVALID_STREAM, when the bytes
 * are damaged or made for other rows, and both directions with JAI_LIMIT_EXCEEDED or JAI_OUT_OF_MEMORY.
 */

/* A row of residuals. */
typedef struct jai_residual_row {
    size_t count;
    const uint8_t *table_index; /* [count] coding table, 0..31 */
    const uint8_t *mask;        /* [count] 0: not coded, anything else: coded */
    int16_t *value;             /* [count] ignored and left alone where not coded */
} jai_residual_row;

/* A row of hyper latents of one channel. */
typedef struct jai_z_row {
    size_t count;
    const uint8_t *cumulative; /* [63] not decreasing, the last is 255 */
    uint8_t *symbol;           /* [count] 0..63, the hyper latent + 31; 63 is not a legal one */
} jai_z_row;

/* Bytes that were encoded. */
typedef struct jai_encoding jai_encoding;

JAI_API jai_status jai_decode_residual_rows(jai_context *context, const uint8_t *data, size_t size, unsigned threads,
                                            const jai_residual_row *rows, size_t row_count);
JAI_API jai_status jai_decode_z_rows(jai_context *context, const uint8_t *data, size_t size, unsigned threads,
                                     const jai_z_row *rows, size_t row_count);
/* On failure `*encoding` is NULL. */
JAI_API jai_status jai_encode_residual_rows(jai_context *context, unsigned threads, const jai_residual_row *rows,
                                            size_t row_count, jai_encoding **encoding);
JAI_API jai_status jai_encode_z_rows(jai_context *context, unsigned threads, const jai_z_row *rows, size_t row_count,
                                     jai_encoding **encoding);
/* They live until the encoding is closed. */
JAI_API const uint8_t *jai_encoding_bytes(const jai_encoding *encoding, size_t *size);
JAI_API void jai_encoding_close(jai_encoding *encoding); /* NULL is allowed */

#ifdef __cplusplus
}
#endif

#endif
