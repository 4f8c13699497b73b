<?php
/**
 * Where a button stands: under posts by itself, as a shortcode, as a block; and the proofs.
 *
 * @package Flattr_Button
 */

defined( 'ABSPATH' ) || exit;

/**
 * Reads the words of the translations.
 */
function flattr_button_load_words() {
	load_plugin_textdomain( 'flattr-button', false, dirname( plugin_basename( FLATTR_BUTTON_FILE ) ) . '/languages' );
}
add_action( 'init', 'flattr_button_load_words' );

/**
 * Puts the button around the content of the post that a page is about, and of no other.
 *
 * @param string $content The content.
 * @return string
 */
function flattr_button_in_content( $content ) {
	$settings = flattr_button_settings();
	$post     = get_post();
	if ( ! $post || 'none' === $settings['place'] || ! in_array( $post->post_type, $settings['types'], true ) ) {
		return $content;
	}
	// An excerpt is made of the content by the same filter, and the button's text is none of it.
	if ( doing_filter( 'get_the_excerpt' ) || post_password_required( $post ) ) {
		return $content;
	}
	$is_page_of_it = is_singular() && get_queried_object_id() === $post->ID;
	if ( ! $is_page_of_it && ! ( is_feed() && $settings['feed'] ) ) {
		return $content;
	}
	if ( has_shortcode( $post->post_content, 'flattr' ) || has_block( 'flattr-button/button', $post ) ) {
		return $content;
	}
	$button = flattr_button_paragraph();
	return 'before' === $settings['place'] ? $button . $content : $content . $button;
}
// After the content's own paragraphs, blocks and shortcodes were made.
add_filter( 'the_content', 'flattr_button_in_content', 20 );

/**
 * Draws `[flattr]`, with the attributes of today and those that posts carry since 2010.
 *
 * @param array|string $told The attributes.
 * @return string
 */
function flattr_button_shortcode( $told ) {
	$told = shortcode_atts(
		array(
			'url'    => '',
			'title'  => '',
			'user'   => '',
			'uid'    => '',
			'layout' => '',
			'button' => '',
		),
		$told,
		'flattr'
	);
	// Editors keep an ampersand as an entity, also in here.
	$told = array_map(
		static function ( $text ) {
			return html_entity_decode( $text, ENT_QUOTES, 'UTF-8' );
		},
		$told
	);
	return flattr_button_html(
		array(
			'url'    => esc_url_raw( $told['url'], array( 'http', 'https' ) ),
			'title'  => $told['title'],
			'user'   => '' === $told['user'] ? $told['uid'] : $told['user'],
			'layout' => '' === $told['layout'] ? $told['button'] : $told['layout'],
		)
	);
}
add_shortcode( 'flattr', 'flattr_button_shortcode' );

/**
 * Draws the block.
 *
 * @param array $told The block's attributes.
 * @return string
 */
function flattr_button_block( $told ) {
	return flattr_button_paragraph(
		array(
			'url'    => isset( $told['url'] ) ? esc_url_raw( $told['url'], array( 'http', 'https' ) ) : '',
			'layout' => isset( $told['layout'] ) ? $told['layout'] : '',
		)
	);
}

/**
 * Registers the block. Its editor draws it without asking the instance for anything.
 */
function flattr_button_register_block() {
	register_block_type( dirname( FLATTR_BUTTON_FILE ) . '/block', array( 'render_callback' => 'flattr_button_block' ) );
	wp_set_script_translations( 'flattr-button-button-editor-script', 'flattr-button', dirname( FLATTR_BUTTON_FILE ) . '/languages' );
}
add_action( 'init', 'flattr_button_register_block' );

/**
 * Writes the proofs into the head of each page.
 */
function flattr_button_proofs() {
	$settings = flattr_button_settings();
	if ( '' !== $settings['site'] ) {
		printf( '<meta name="flattr:site" content="%s" />' . "\n", esc_attr( $settings['site'] ) );
	}
	if ( '' !== $settings['id'] ) {
		printf( '<meta name="flattr:id" content="%s" />' . "\n", esc_attr( $settings['id'] ) );
	}
}
add_action( 'wp_head', 'flattr_button_proofs' );
