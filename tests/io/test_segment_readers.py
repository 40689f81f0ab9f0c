"""Single files: what is read from real and made-up ones."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from eclips_app.core.errors import EclipsError
from eclips_app.io.readers import read_file
from eclips_app.io.vendor import fei
from eclips_app.io.vendor.tags import Tags

GREY = (np.arange(48 * 64).reshape(48, 64) % 251).astype(np.uint8)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize(
    "options", [{}, {"compression": "lzw"}, {"compression": "zlib", "predictor": True}, {"tile": (16, 16)}]
)
def test_tiff_keeps_values_and_type(tmp_path: Path, dtype: str, options: dict[str, object]) -> None:
    data = GREY.astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", data, **options)
    raw = read_file(tmp_path / "a.tif")
    assert raw.images[0].dtype == data.dtype
    assert np.array_equal(raw.images[0], data)
    assert not raw.images[0].flags.writeable
    assert raw.sha256 == hashlib.sha256((tmp_path / "a.tif").read_bytes()).hexdigest()


def test_big_endian_tiff_becomes_native(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY.astype(np.uint16) * 200, byteorder=">")
    image = read_file(tmp_path / "a.tif").images[0]
    assert image.dtype.isnative
    assert np.array_equal(image, GREY.astype(np.uint16) * 200)


def test_png_of_16_bit_and_jpeg_warning(tmp_path: Path) -> None:
    Image.fromarray(GREY.astype(np.uint16) * 250).save(tmp_path / "a.png")
    Image.fromarray(GREY).save(tmp_path / "a.jpg")
    png, jpeg = read_file(tmp_path / "a.png"), read_file(tmp_path / "a.jpg")
    assert np.array_equal(png.images[0], GREY.astype(np.uint16) * 250)
    assert png.warnings == ()
    assert "lossy" in jpeg.warnings[0]


@pytest.mark.parametrize("suffix", ["tif", "png"])
@pytest.mark.parametrize("channels", [3, 4])
def test_grey_stored_as_colour(tmp_path: Path, suffix: str, channels: int) -> None:
    colour = np.repeat(GREY[..., None], channels, axis=2)
    if channels == 4:
        colour[..., 3] = 255
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(colour).save(path)
    assert np.array_equal(read_file(path).images[0], GREY)
    colour[5, 7, 1] ^= 1
    Image.fromarray(colour).save(path)
    with pytest.raises(EclipsError, match=rf"a\.{suffix}: is a colour image"):
        read_file(path)


def test_inverted_and_palette_tiff(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "w.tif", GREY, photometric="miniswhite")
    assert np.array_equal(read_file(tmp_path / "w.tif").images[0], 255 - GREY)
    ramp = np.tile(np.arange(256, dtype=np.uint16) * 257, (3, 1))
    ramp[:, 9] = (65535, 0, 0)  # SmartSEM keeps a few colours for annotations
    tifffile.imwrite(tmp_path / "p.tif", GREY, photometric="palette", colormap=ramp)
    assert np.array_equal(read_file(tmp_path / "p.tif").images[0], GREY)
    inverse = np.tile(np.arange(255, -1, -1, dtype=np.uint16) * 257, (3, 1))
    tifffile.imwrite(tmp_path / "i.tif", GREY, photometric="palette", colormap=inverse)
    assert np.array_equal(read_file(tmp_path / "i.tif").images[0], 255 - GREY)
    inverse[1] = 0
    tifffile.imwrite(tmp_path / "c.tif", GREY, photometric="palette", colormap=inverse)
    with pytest.raises(EclipsError, match="false-colour"):
        read_file(tmp_path / "c.tif")


def test_layouts_of_stacks(tmp_path: Path) -> None:
    stack = np.stack([GREY + k for k in range(12)])
    tifffile.imwrite(tmp_path / "pages.tif", stack[:4], photometric="minisblack")
    assert read_file(tmp_path / "pages.tif").layout == (4,)
    tifffile.imwrite(tmp_path / "ij.tif", stack.reshape(3, 4, 48, 64), imagej=True, metadata={"axes": "TCYX"})
    series = read_file(tmp_path / "ij.tif")
    assert series.layout == (3, 4)
    assert np.array_equal(series.images[6], stack[6])
    tifffile.imwrite(tmp_path / "x.ome.tif", stack.reshape(4, 3, 48, 64), metadata={"axes": "CTYX"})
    swapped = read_file(tmp_path / "x.ome.tif")
    assert swapped.layout == (3, 4)
    assert np.array_equal(swapped.images[1], stack[3])  # frame 0, channel 1


def test_thumbnail_pages_are_left_out(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "t.tif") as tiff:
        tiff.write(GREY, photometric="minisblack", metadata=None)
        tiff.write(GREY[:16, 8:40].copy(), photometric="minisblack", metadata=None)
    raw = read_file(tmp_path / "t.tif")
    assert raw.layout == ()
    assert raw.images[0].shape == GREY.shape
    assert any("thumbnails" in warning for warning in raw.warnings)


def test_hdf5_stack_with_pixel_size_and_separate_datasets(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["input/quadrants"] = np.stack([GREY] * 4)
        file["input"].attrs["pixel_size_nm"] = 2.5
    raw = read_file(tmp_path / "a.h5")
    assert (raw.layout, raw.acquisitions[0].pixel_size_nm) == ((4,), 2.5)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        for name in "ENW":
            file[f"scan/{name}"] = GREY
        file["scan/preview"] = GREY[::2, ::2]
    assert read_file(tmp_path / "b.h5").names == ("E", "N", "W")


@pytest.mark.parametrize(
    ("name", "pixel_nm", "kv", "wd_mm", "detector"),
    [
        ("FEI-Helios-Ebeam-16bits.tif", 3372.4, 5.0, 4.03466, "ETD"),
        ("FEI_Quanta_LFD_quanta_image.tif", 441.942, 30.0, 11.051, "LFD"),
        ("FEI_Scios_CBS_xml_dataZeroed.tif", 26.9792, 5.0, 6.98462, "CBS"),
        ("Hitachi_TM4000_BSE_x1200.tif", 82.68229, 15.0, 7.9205, "BSE"),
        ("test_tiff_Zeiss_SEM_1k.tif", 2614.514, 25.0, 14.80786, "HE-SE2"),
        ("test_tiff_Zeiss_SEM_512pix.tif", 11.649976, 5.0, 3.937911, "InLens"),  # the tag is for 1024 px
        ("orion-zeiss_dataZeroed.tif", 0.9765625, 29.997, 11.977, "ETDetector"),
        ("Elid2Version4.elid", 975.77926, 15.0, 8.14175, "bsd-all"),
        ("JEOL_View000_0000000.img", 8.69140625, 200.0, 6.0, None),
        ("Fibics_orion_dataZeroed.tif.gz", 1.220703125, 30.0, None, "ET"),
        ("TESCAN_pfib_dataZeroed.tif.gz", 1.5625, 15.0, 5.947501, "E-T"),
    ],
)
def test_metadata_of_makers(
    shared_data: Path, tmp_path: Path, name: str, pixel_nm: float, kv: float, wd_mm: float | None, detector: str | None
) -> None:
    path = shared_data / "data" / "sem_meta" / name
    if path.suffix == ".gz":
        unpacked = tmp_path / path.stem
        unpacked.write_bytes(gzip.decompress(path.read_bytes()))
        path = unpacked
    found = read_file(path).acquisitions[0]
    assert found.pixel_size_nm == pytest.approx(pixel_nm, rel=1e-6)
    assert found.energy_kev == pytest.approx(kv)
    assert found.working_distance_mm == (None if wd_mm is None else pytest.approx(wd_mm, rel=1e-5))
    assert found.detector == detector


def test_fei_segment_and_data_bar(shared_data: Path) -> None:
    folder = shared_data / "data" / "4q" / "fei_abs3_vickers"
    for letter, path in zip("ABC", sorted(folder.glob("*.tif")), strict=True):
        raw = read_file(path)
        assert raw.acquisitions[0].segment == letter
        assert raw.acquisitions[0].dwell_us == pytest.approx(20.0)
        assert raw.image_shape == (1024, 1536)


@pytest.mark.parametrize(
    ("date", "time", "iso"),
    [
        ("09/12/2023", "05:00:10 PM", "2023-09-12T17:00:10"),  # the month comes first
        ("01/02/2020", "12:05:00 AM", "2020-01-02T00:05:00"),
        ("09/12/2023", "17:00:10", "2023-09-12T17:00:10"),
        ("12.09.2023", "17:00:10", "12.09.2023 17:00:10"),  # not of that kind: as it stands
        ("", "", None),
    ],
)
def test_fei_dates_become_iso_8601(date: str, time: str, iso: str | None) -> None:
    found = fei.read(Tags(4, 4, {fei.HELIOS: {"User": {"Date": date, "Time": time}}}))
    assert found is not None
    assert found.acquisition.date == iso


def test_gamma_is_reported(shared_data: Path) -> None:
    raw = read_file(shared_data / "data" / "sem_meta" / "FEI-Helios-Ebeam-16bits.tif")
    assert any("gamma 1.6" in warning for warning in raw.warnings)


def test_point_electronic_amplifier(tmp_path: Path) -> None:
    xmp = b"""<?xpacket begin="" id="x"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
      <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
        xmlns:image="http://ns.pointelectronic.com/Image/1.0/" xmlns:efa="http://ns.pointelectronic.com/EFA/1.0/">
      <image:PixelSizeX>2.5e-9</image:PixelSizeX><efa:Contrast><rdf:value>2.0</rdf:value></efa:Contrast>
      <efa:EffectiveAmpGain>1000000</efa:EffectiveAmpGain><efa:OutputOffset><rdf:value>0.25</rdf:value></efa:OutputOffset>
      <efa:InputOffset><rdf:value>-0.1</rdf:value></efa:InputOffset><efa:InverseEnabled>1</efa:InverseEnabled>
      </rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""
    tifffile.imwrite(tmp_path / "a.tif", GREY, extratags=[(700, 1, len(xmp), xmp, True)])
    raw = read_file(tmp_path / "a.tif")
    found = raw.acquisitions[0]
    assert found.pixel_size_nm == pytest.approx(2.5)
    assert (found.contrast, found.gain) == (2.0, 2e6)
    assert found.offset == pytest.approx(0.25 + 2.0 * -0.1)
    assert any("inverted" in warning for warning in raw.warnings)


def test_jeol_text_beside_the_image(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.vstack([GREY, GREY[:16]]))
    (tmp_path / "a.txt").write_text(
        "$CM_FORMAT JEOL/EO\n$CM_INSTRUMENT 7000F\n$CM_SIGNAL BEC\n$CM_ACCEL_VOLT 15.0\n$CM_MAG 2000\n"
        "$CM_FULL_SIZE 64 48\n$$SM_MICRON_BAR 50\n$$SM_MICRON_MARKER 1um\n$$SM_WD 10.0\n"
    )
    raw = read_file(tmp_path / "a.tif")
    found = raw.acquisitions[0]
    assert (found.pixel_size_nm, found.energy_kev, found.working_distance_mm) == (20.0, 15.0, 10.0)
    assert raw.image_shape == (48, 64)


@pytest.mark.parametrize(
    ("options", "pixel_nm"),
    [
        ({"resolution": (256.0, 256.0), "resolutionunit": "INCH"}, None),  # for a printer
        ({"resolution": (1e6, 1e6), "resolutionunit": "CENTIMETER"}, 10.0),
        ({"imagej": True, "resolution": (200.0, 200.0), "metadata": {"unit": "um"}}, 5.0),
        ({"imagej": True, "resolution": (200.0, 200.0)}, None),
        ({"ome": True, "metadata": {"PhysicalSizeX": 4.0, "PhysicalSizeXUnit": "nm"}}, 4.0),
        ({"metadata": {"pixel_size_nm": 2.0}}, 2.0),
        ({}, None),
    ],
)
def test_pixel_size_of_plain_tiff(tmp_path: Path, options: dict[str, object], pixel_nm: float | None) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY, **options)
    found = read_file(tmp_path / "a.tif").acquisitions[0].pixel_size_nm
    assert found == (None if pixel_nm is None else pytest.approx(pixel_nm))
